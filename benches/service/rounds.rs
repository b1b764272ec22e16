//! Pairs of measurements, made right after each other because the machine is noisy.
//!
//! A pair that something else on the machine disturbed is made again, within bounds, and the
//! quietest pairs are the ones that count.

use crate::figures::median;

/// A measurement is disturbed when others took more of the machine than this.
pub const QUIET: f64 = 0.10;
/// At most this many pairs are made for each that is wanted.
const PATIENCE: usize = 3;

/// How long answers took, in milliseconds.
#[derive(Clone, Copy)]
pub struct Latency {
    pub p50_ms: f64,
    pub p99_ms: f64,
}

/// One measurement.
#[derive(Clone, Copy)]
pub struct Sample {
    /// Tasks a second.
    pub rate: f64,
    /// Of the load's requests, where they were timed.
    pub latency: Option<Latency>,
    /// Processor time of the server for each task, in microseconds, where the system tells.
    pub micros: Option<f64>,
    /// The load generator's own, which stands in every rate here: a leaner one raises the rates
    /// and, with the service sharing its processors, lowers the ratios.
    pub load_micros: Option<f64>,
    /// The share of the machine that went to neither the server nor the load.
    pub others: Option<f64>,
}

impl Sample {
    pub fn with_latency(self, latency: Latency) -> Self {
        Self {
            latency: Some(latency),
            ..self
        }
    }
}

#[derive(Clone, Copy)]
struct Pair {
    reference: Sample,
    measured: Sample,
}

/// The rounds of one comparison.
pub struct Rounds {
    wanted: usize,
    made: usize,
    /// The quietest ones, no more than wanted, quietest first.
    pairs: Vec<Pair>,
}

impl Rounds {
    pub fn new(wanted: usize) -> Self {
        Self {
            wanted,
            made: 0,
            pairs: Vec::new(),
        }
    }

    /// Whether another pair is to be made.
    pub fn incomplete(&self) -> bool {
        let quiet = self
            .pairs
            .iter()
            .filter(|pair| pair.others() <= QUIET)
            .count();
        quiet < self.wanted && self.made < self.wanted * PATIENCE
    }

    pub fn push(&mut self, reference: Sample, measured: Sample) {
        self.made += 1;
        self.pairs.push(Pair {
            reference,
            measured,
        });
        self.pairs
            .sort_by(|left, right| left.others().total_cmp(&right.others()));
        self.pairs.truncate(self.wanted);
    }

    pub fn rate(&self) -> f64 {
        median(self.pairs.iter().map(|pair| pair.measured.rate))
    }

    pub fn reference_rate(&self) -> f64 {
        median(self.pairs.iter().map(|pair| pair.reference.rate))
    }

    /// The median of the rounds' own ratios, which a slow spell of the machine moves less than
    /// the ratio of the medians.
    pub fn ratio(&self) -> f64 {
        median(self.ratios())
    }

    pub fn lowest_ratio(&self) -> f64 {
        self.ratios().fold(f64::INFINITY, f64::min)
    }

    pub fn highest_ratio(&self) -> f64 {
        self.ratios().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The medians of the rounds' p50 and p99.
    pub fn latency(&self) -> Option<Latency> {
        middle(self.pairs.iter().filter_map(|pair| pair.measured.latency))
    }

    pub fn reference_latency(&self) -> Option<Latency> {
        middle(self.pairs.iter().filter_map(|pair| pair.reference.latency))
    }

    /// `NaN` where the system does not tell.
    pub fn micros(&self) -> f64 {
        median(self.pairs.iter().filter_map(|pair| pair.measured.micros))
    }

    pub fn reference_micros(&self) -> f64 {
        median(self.pairs.iter().filter_map(|pair| pair.reference.micros))
    }

    /// Of the load on the reference.
    pub fn load_micros(&self) -> f64 {
        median(
            self.pairs
                .iter()
                .filter_map(|pair| pair.reference.load_micros),
        )
    }

    /// Of the load on what was measured.
    pub fn measured_load_micros(&self) -> f64 {
        median(
            self.pairs
                .iter()
                .filter_map(|pair| pair.measured.load_micros),
        )
    }

    /// The most of the machine that others took in any of the pairs that count.
    pub fn others(&self) -> f64 {
        self.pairs.iter().map(Pair::others).fold(0.0, f64::max)
    }

    /// Whether no quiet time was found for all of them.
    pub fn disturbed(&self) -> bool {
        self.others() > QUIET
    }

    fn ratios(&self) -> impl Iterator<Item = f64> {
        self.pairs
            .iter()
            .map(|pair| pair.measured.rate / pair.reference.rate)
    }
}

fn middle(latencies: impl Iterator<Item = Latency> + Clone) -> Option<Latency> {
    latencies.clone().next()?;
    Some(Latency {
        p50_ms: median(latencies.clone().map(|it| it.p50_ms)),
        p99_ms: median(latencies.map(|it| it.p99_ms)),
    })
}

impl Pair {
    fn others(&self) -> f64 {
        let each = [self.reference.others, self.measured.others];
        each.into_iter().flatten().fold(0.0, f64::max)
    }
}
