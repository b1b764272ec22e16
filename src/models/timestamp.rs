//! Points in time: RFC 3339 UTC with microseconds, the one format of the database and the API.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, SecondsFormat, SubsecRound, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A UTC time with microseconds, written as `2026-01-31T12:00:00.000000Z`.
///
/// All of them have the same length, so text comparison in SQLite is comparison in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

/// A text that is not a time; says what was expected.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("expected a time such as 2026-01-31T12:00:00Z, found {0:?}")]
pub struct InvalidTimestamp(pub String);

impl Timestamp {
    /// The current time, to the microsecond.
    pub fn now() -> Self {
        Self(Utc::now().trunc_subsecs(6))
    }

    /// The time this many seconds after the Unix epoch; `None` outside of years that can be written.
    pub fn from_unix_seconds(seconds: i64) -> Option<Self> {
        DateTime::from_timestamp(seconds, 0).map(Self)
    }

    /// The time this much later; the last one that can be written if it is beyond that.
    pub fn after(self, period: Duration) -> Self {
        let last = DateTime::from_timestamp(253_402_300_799, 0).expect("the end of the year 9999");
        let later = chrono::Duration::from_std(period)
            .ok()
            .and_then(|period| self.0.checked_add_signed(period));
        Self(later.unwrap_or(last).min(last).trunc_subsecs(6))
    }

    /// The time this much earlier; the Unix epoch if it is before that.
    pub fn before(self, period: Duration) -> Self {
        let earlier = chrono::Duration::from_std(period)
            .ok()
            .and_then(|period| self.0.checked_sub_signed(period));
        Self(earlier.unwrap_or_default().trunc_subsecs(6))
    }

    /// The time this many seconds later; earlier if they are negative.
    pub fn shifted(self, seconds: f64) -> Self {
        match Duration::try_from_secs_f64(seconds.abs()) {
            Ok(period) if seconds < 0.0 => self.before(period),
            Ok(period) => self.after(period),
            Err(_) => self,
        }
    }

    /// Without the fraction of its second.
    pub fn whole_seconds(self) -> Self {
        Self(self.0.trunc_subsecs(0))
    }

    /// The same moment, for reckoning with calendars.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }

    /// How long it is from now until this time; nothing if it has passed.
    pub fn from_now(self) -> Duration {
        (self.0 - Utc::now()).to_std().unwrap_or_default()
    }

    /// Whole and fractional seconds from `earlier` to `self`; negative if `self` comes first.
    pub fn seconds_since(self, earlier: Self) -> f64 {
        (self.0 - earlier.0).as_seconds_f64()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(time: DateTime<Utc>) -> Self {
        Self(without_leap_second(time).trunc_subsecs(6))
    }
}

/// A leap second (`23:59:60`) counts as the one that follows: SQLite does not know it.
fn without_leap_second(time: DateTime<Utc>) -> DateTime<Utc> {
    match time.nanosecond().checked_sub(1_000_000_000) {
        Some(rest) => time.with_nanosecond(rest).unwrap_or(time) + chrono::Duration::seconds(1),
        None => time,
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Micros, true))
    }
}

impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    /// Reads RFC 3339 with any offset, and the original's naive local times, which count as UTC.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = DateTime::parse_from_rfc3339(text)
            .map(|time| time.with_timezone(&Utc))
            .or_else(|_| {
                NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f")
                    .or_else(|_| NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f"))
                    .map(|naive| naive.and_utc())
            })
            .map_err(|_| InvalidTimestamp(text.chars().take(64).collect()))?;
        let parsed = without_leap_second(parsed);
        let year = chrono::Datelike::year(&parsed);
        if !(0..=9999).contains(&year) {
            return Err(InvalidTimestamp(text.chars().take(64).collect()));
        }
        Ok(Self(parsed.trunc_subsecs(6)))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// As it is written.
impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339, UTC, with microseconds."))
            .examples(["2026-01-31T12:00:00.000000Z"])
            .into()
    }
}

impl ToSchema for Timestamp {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_one_moment_is_written_alike() {
        for text in [
            "2024-05-01T10:30:00.123456Z",
            "2024-05-01T12:30:00.123456+02:00",
            "2024-05-01T10:30:00.123456",
            "2024-05-01 10:30:00.123456",
            "2024-05-01T10:30:00.123456789Z",
        ] {
            let time: Timestamp = text.parse().unwrap();
            assert_eq!(time.to_string(), "2024-05-01T10:30:00.123456Z", "{text}");
        }
    }

    #[test]
    fn a_leap_second_is_the_one_that_follows() {
        let time: Timestamp = "2016-12-31T23:59:60.25Z".parse().unwrap();
        assert_eq!(time.to_string(), "2017-01-01T00:00:00.250000Z");
        assert!("9999-12-31T23:59:60Z".parse::<Timestamp>().is_err());
    }

    #[test]
    fn whole_seconds_keep_their_microseconds() {
        let time: Timestamp = "2024-05-01T10:30:00".parse().unwrap();
        assert_eq!(time.to_string(), "2024-05-01T10:30:00.000000Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2024-13-01T00:00:00Z",
            "+12024-05-01T10:30:00Z",
        ] {
            assert!(text.parse::<Timestamp>().is_err(), "{text}");
        }
    }
}
