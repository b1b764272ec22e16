//! The values of the settings of schedules.

use std::time::Duration;

use figment::value::Dict;

use super::super::choices::Missed;
use super::super::schedules::parse_cron;
use super::super::time_zones::time_zone;
use super::super::values::{argument, duration, text, whole, word};
use super::ValueType;

pub(crate) const SCHEDULES: ValueType<Dict> =
    ValueType::private("tables [schedules.NAME] in venom.toml", |value| {
        value.as_dict().cloned()
    });

pub(crate) const CRON: ValueType<String> = ValueType::new(
    "a cron expression that comes true at some time, such as \"30 9 * * MON-FRI\" (minute, hour, \
     day, month, weekday; a sixth field before them is the second) or \"@daily\", with no step \
     longer than its field or range: for every 90 minutes, `every = \"90m\"`",
    |value| {
        let expression = text(value)?.trim().to_owned();
        parse_cron(&expression).map(|_| expression)
    },
);

pub(crate) const TIMEZONE: ValueType<String> = ValueType::new(
    "the IANA name of a time zone, such as \"UTC\" or \"Europe/Warsaw\"",
    |value| {
        let name = text(value)?.trim().to_owned();
        time_zone(&name).map(|_| name)
    },
);

pub(crate) const EVERY: ValueType<Duration> = ValueType::new(
    "at least 1 second: a number of seconds, or a text such as \"15m\", \"1h\" or \"1d\" \
     (units s, m, h, d)",
    |value| duration(value, 1.0),
);

pub(crate) const MISSED: ValueType<Missed> = ValueType::new("\"run once\" or \"skip\"", |value| {
    Missed::named(&word(value)?)
});

/// What a task is to do; it may be as private as a processor's arguments.
pub(crate) const CONTENT: ValueType<String> = ValueType::private("a text", argument);

pub(crate) const PRIORITY: ValueType<i64> =
    ValueType::new("a whole number from -100 to 100", |value| {
        whole(value, -100..=100)
    });

pub(crate) const TAGS: ValueType<Vec<String>> = ValueType::new("a list of texts", |value| {
    value.as_array()?.iter().map(argument).collect()
});

pub(crate) const SESSION: ValueType<String> = ValueType::new("a text", argument);
