//! A rate such as `30/m`: how many starts, or requests, a period may have.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Completes "expected …".
pub(crate) const EXPECTED: &str = "a rate such as \"30/m\": a number of starts from 1 to 100000, \
                                   a slash, and s, m, h or d";

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// At most `starts` starts in any period of length `per`.
///
/// Its text is the number of starts, a slash and a unit: `s`, `m`, `h` or `d`, which may be spelled
/// `sec`, `min`, `hour` or `day`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// 1 to 100000.
    pub(crate) starts: u32,
    /// A second, a minute, an hour or a day.
    pub(crate) per: Duration,
}

/// The text is no rate. The error does not repeat it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {EXPECTED}")]
pub(crate) struct ParseRateError;

impl FromStr for Rate {
    type Err = ParseRateError;

    fn from_str(text: &str) -> Result<Self, ParseRateError> {
        let (starts, unit) = text.split_once('/').ok_or(ParseRateError)?;
        let starts = starts.trim().parse().map_err(|_| ParseRateError)?;
        let seconds = match unit.trim() {
            "s" | "sec" => 1,
            "m" | "min" => MINUTE,
            "h" | "hour" => HOUR,
            "d" | "day" => DAY,
            _ => return Err(ParseRateError),
        };
        match (1..=100_000).contains(&starts) {
            true => Ok(Self {
                starts,
                per: Duration::from_secs(seconds),
            }),
            false => Err(ParseRateError),
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.per.as_secs() {
            1 => write!(f, "{}/s", self.starts),
            MINUTE => write!(f, "{}/m", self.starts),
            HOUR => write!(f, "{}/h", self.starts),
            DAY => write!(f, "{}/d", self.starts),
            _ => write!(f, "{} in {:?}", self.starts, self.per),
        }
    }
}
