//! What the settings of schedules take.

use std::time::Duration;

use figment::value::Dict;

use super::super::choices::Missed;
use super::super::schedules::parse_cron;
use super::super::time_zones::time_zone;
use super::super::values::{argument, duration, text, whole, word};
use super::Rule;

pub(crate) const SCHEDULES: Rule<Dict> =
    Rule::private("tables [schedules.NAME] in venom.toml", |value| {
        value.as_dict().cloned()
    });

pub(crate) const CRON: Rule<String> = Rule::new(
    "a cron expression that comes true at some time, such as \"30 9 * * MON-FRI\" (minute, hour, \
     day, month, weekday; a sixth field before them is the second) or \"@daily\", with no step \
     longer than its field or range: for every 90 minutes, `every = \"90m\"`",
    |value| {
        let expression = text(value)?.trim().to_owned();
        parse_cron(&expression).map(|_| expression)
    },
);

pub(crate) const TIMEZONE: Rule<String> = Rule::new(
    "the IANA name of a time zone, such as \"UTC\" or \"Europe/Warsaw\"",
    |value| {
        let name = text(value)?.trim().to_owned();
        time_zone(&name).map(|_| name)
    },
);

pub(crate) const EVERY: Rule<Duration> = Rule::new(
    "at least 1 second: a number of seconds, or a text such as \"15m\", \"1h\" or \"1d\" \
     (units s, m, h, d)",
    |value| duration(value, 1.0),
);

pub(crate) const MISSED: Rule<Missed> = Rule::new("\"run once\" or \"skip\"", |value| {
    Missed::named(&word(value)?)
});

/// What a task is to do; it may be as private as a processor's arguments.
pub(crate) const CONTENT: Rule<String> = Rule::private("a text", argument);

pub(crate) const PRIORITY: Rule<i64> = Rule::new("a whole number from -100 to 100", |value| {
    whole(value, -100..=100)
});

pub(crate) const TAGS: Rule<Vec<String>> = Rule::new("a list of texts", |value| {
    value.as_array()?.iter().map(argument).collect()
});

pub(crate) const SESSION: Rule<String> = Rule::new("a text", argument);
