//! The backoff: the time from a failed attempt to the next one.

use std::time::Duration;

use super::error::Error;
use super::table_reader::TableReader;
use super::value_types;

/// The pauses between attempts: each is `factor` times the one before, up to `max`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Backoff {
    /// Pause after the first failure, to a day. Default 1 s.
    pub(crate) first: Duration,
    /// What a pause is multiplied by to make the next one, 1 to 100. Default 2.
    pub(crate) factor: f64,
    /// Where the pauses stop growing, before they are spread; `first` to 30 days. Default 300 s, or
    /// `first` where that is longer.
    pub(crate) max: Duration,
    /// Share of a pause by which it may be shorter or longer, 0 to 1, so that tasks that failed
    /// together do not come back together. Default 0.1.
    pub(crate) jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(1),
            factor: 2.0,
            max: Duration::from_secs(300),
            jitter: 0.1,
        }
    }
}

impl Backoff {
    /// Returns the pause after the `failures`-th counted failure (1 is the first); `random` in 0..1 spreads it by
    /// ±`jitter`.
    pub(crate) fn pause(&self, failures: u32, random: f64) -> Duration {
        let growth = self.factor.powf(f64::from(failures.saturating_sub(1)));
        // An infinite growth times a `first` of 0 would be no number.
        let grown = self.first.as_secs_f64() * growth.min(f64::MAX);
        let spread = 1.0 + self.jitter * (2.0 * random - 1.0);
        let seconds = grown.min(self.max.as_secs_f64()) * spread;
        Duration::try_from_secs_f64(seconds).unwrap_or(self.max)
    }
}

/// Reads the table `backoff` of a processor, if it has one.
pub(crate) fn read(processor: &mut TableReader<'_>) -> Result<Backoff, Error> {
    let default = Backoff::default();
    let Some(mut table) = processor.take_table("backoff", value_types::BACKOFF)? else {
        return Ok(default);
    };
    let first = table
        .take("first", value_types::FIRST_PAUSE)?
        .unwrap_or(default.first);
    let backoff = Backoff {
        first,
        factor: table
            .take("factor", value_types::FACTOR)?
            .unwrap_or(default.factor),
        max: read_max(&mut table, first)?.unwrap_or(default.max.max(first)),
        jitter: table
            .take("jitter", value_types::JITTER)?
            .unwrap_or(default.jitter),
    };
    table.finish()?;
    Ok(backoff)
}

fn read_max(table: &mut TableReader<'_>, first: Duration) -> Result<Option<Duration>, Error> {
    match table.take("max", value_types::PAUSE)? {
        Some(max) if max < first => {
            let expected = format!("at least `first` ({})", first.as_secs_f64());
            Err(table.refuse("max", max.as_secs_f64().to_string(), expected))
        }
        max => Ok(max),
    }
}
