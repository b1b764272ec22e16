//! A histogram of durations, which takes little memory for any number of values. Pure.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Shortest duration that differs from zero.
const SHORTEST_SECONDS: f64 = 1e-4;
/// Bins per doubling of the duration. Each is 9 % wide, so its middle is off by at most 5 %.
const BINS_PER_DOUBLING: f64 = 8.0;

/// Counts in bins whose width grows with the duration. Ten years fall into bin 332.
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

/// A duration and its bin.
#[derive(Clone, Copy)]
pub(crate) struct Measured {
    bin: u16,
    seconds: f64,
}

impl Measured {
    /// Measures a duration. A negative one, from a clock that was set back, counts as zero.
    pub(crate) fn new(seconds: f64) -> Self {
        let seconds = seconds.max(0.0);
        let bin = ((seconds / SHORTEST_SECONDS).log2() * BINS_PER_DOUBLING).floor();
        // The conversion saturates.
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

    /// Returns mean, quantiles and maximum; `None` if nothing was added.
    pub(crate) fn summary(&self) -> Option<Summary> {
        let count = self.bins.values().sum::<u64>();
        (count > 0).then(|| Summary {
            mean: self.sum / count as f64,
            p50: self.quantile(count.div_ceil(2)),
            p95: self.quantile((count * 19).div_ceil(20)),
            max: self.max,
        })
    }

    /// Returns the middle of the bin that holds the value of this rank.
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
    fn the_shortest_and_the_longest_durations_are_counted() {
        let nothing = summary([0.0, -3.0].into_iter());
        assert_eq!((nothing.p50, nothing.max), (0.0, 0.0));
        let long = summary([1e9].into_iter());
        assert_eq!((long.mean, long.max), (1e9, 1e9));
        assert!(Histogram::default().summary().is_none());
    }
}
