//! How long something took, many times: counts by length, so that any number of them takes little room.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Shortest time that is told apart from nothing.
const SHORTEST_SECONDS: f64 = 1e-4;
/// Bins in which a time doubles: each is 9 % wide, so its middle is wrong by 5 % at most.
const BINS_PER_DOUBLING: f64 = 8.0;

/// Times in bins that grow with the time. A task may wait ten years: that is bin 332.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    bins: BTreeMap<u16, u64>,
    sum: f64,
    max: f64,
}

/// What a histogram says, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p95: f64,
    pub(crate) max: f64,
}

/// A time and the bin that it falls into.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    bin: u16,
    seconds: f64,
}

impl Measured {
    /// Less than nothing, as a clock that was set back makes it, counts as nothing.
    pub(crate) fn new(seconds: f64) -> Self {
        let seconds = seconds.max(0.0);
        let bin = ((seconds / SHORTEST_SECONDS).log2() * BINS_PER_DOUBLING).floor();
        // The conversion keeps within the type's bounds.
        Self {
            bin: bin as u16,
            seconds,
        }
    }
}

impl Histogram {
    pub(crate) fn add(&mut self, time: Measured) {
        *self.bins.entry(time.bin).or_default() += 1;
        self.sum += time.seconds;
        self.max = self.max.max(time.seconds);
    }

    /// `None` if nothing was added.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let count = self.bins.values().sum::<u64>();
        (count > 0).then(|| Summary {
            mean: self.sum / count as f64,
            p50: self.quantile(count.div_ceil(2)),
            p95: self.quantile((count * 19).div_ceil(20)),
            max: self.max,
        })
    }

    /// The middle of the bin that has the time of this rank.
    fn quantile(&self, rank: u64) -> f64 {
        let mut seen = 0;
        for (bin, count) in &self.bins {
            seen += count;
            if seen >= rank {
                let doublings = (f64::from(*bin) + 0.5) / BINS_PER_DOUBLING;
                return (SHORTEST_SECONDS * doublings.exp2()).min(self.max);
            }
        }
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(seconds: impl Iterator<Item = f64>) -> Summary {
        let mut histogram = Histogram::default();
        seconds.for_each(|seconds| histogram.add(Measured::new(seconds)));
        histogram.summary().unwrap()
    }

    #[test]
    fn quantiles_are_right_within_a_twentieth() {
        for unit in [0.001, 0.37, 60.0, 864_000.0] {
            let found = summary((1..=1000).map(|n| f64::from(n) * unit));
            assert!((found.p50 / (500.0 * unit) - 1.0).abs() < 0.05, "{found:?}");
            assert!((found.p95 / (950.0 * unit) - 1.0).abs() < 0.05, "{found:?}");
            assert!(
                (found.mean / (500.5 * unit) - 1.0).abs() < 1e-9,
                "{found:?}"
            );
            assert_eq!(found.max, 1000.0 * unit);
        }
    }

    #[test]
    fn the_shortest_and_the_longest_times_have_their_place() {
        let nothing = summary([0.0, -3.0].into_iter());
        assert_eq!((nothing.p50, nothing.max), (0.0, 0.0));
        let long = summary([1e9].into_iter());
        assert_eq!((long.mean, long.max), (1e9, 1e9));
        assert!(Histogram::default().summary().is_none());
    }
}
