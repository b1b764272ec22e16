//! The tables `[schedules.NAME]`: tasks that are submitted on a schedule.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use chrono::DateTime;
use croner::Cron;
use croner::parser::{CronParser, Year};

use super::choices::Missed;
use super::error::Error;
use super::processors::{ProcessorSettings, one_of};
use super::table_reader::TableReader;
use super::value_types;

const UTC: &str = "UTC";

/// One `[schedules.NAME]` table: when, and the task that is submitted then.
#[derive(Clone, PartialEq)]
pub(crate) struct ScheduleSettings {
    /// Either `cron`, with `timezone`, or `every`.
    pub(crate) when: When,
    /// What becomes of the times at which the service did not run. Default: run once. `missed`
    pub(crate) missed: Missed,
    /// The task's content. Always set.
    pub(crate) content: String,
    /// A configured processor. Default: the default processor.
    pub(crate) processor: Option<String>,
    /// -100 to 100, higher first. Default 0.
    pub(crate) priority: i64,
    /// 1 to 1000. Default: that of the processor.
    pub(crate) max_attempts: Option<i64>,
    /// Seconds after which an attempt fails as `timeout`. Default: that of the processor.
    pub(crate) timeout: Option<Duration>,
    /// Default: none.
    pub(crate) tags: Vec<String>,
    /// Default: none.
    pub(crate) session_id: Option<String>,
    /// 1 to 200 characters. Default: none.
    pub(crate) concurrency_key: Option<String>,
    /// False keeps the schedule and submits nothing. Default true.
    pub(crate) enabled: bool,
}

/// The times of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// By a cron expression in a time zone.
    Cron {
        /// As [`parse_cron`] reads it.
        expression: String,
        /// IANA name. Default `UTC`.
        timezone: String,
    },
    /// At equal distances of at least 1 s: a number of seconds, or `15m`, `1h`, `1d`.
    Every(Duration),
}

/// Leaves the content out, which may be as private as a command's arguments.
impl fmt::Debug for ScheduleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScheduleSettings")
            .field("when", &self.when)
            .field("missed", &self.missed)
            .field("processor", &self.processor)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// Reads a cron expression: five fields (minute, hour, day, month, weekday), six with the second
/// before them, or a nickname such as `@daily`. `None` where it is none, or never comes true.
pub(crate) fn parse_cron(expression: &str) -> Option<Cron> {
    // To the parser, an item that is missing is a field that is never true, and a minute that is
    // never true is searched for over thousands of years.
    let complete = |field: &str| {
        field
            .trim_start_matches('+')
            .split(',')
            .all(|item| !item.is_empty())
    };
    if !expression.split_whitespace().all(complete) {
        return None;
    }
    if !steps_fit(expression) {
        return None;
    }
    let parser = CronParser::builder().year(Year::Disallowed).build();
    let cron = parser.parse(expression).ok()?;
    let comes_true = cron
        .find_next_occurrence(&DateTime::UNIX_EPOCH, true)
        .is_ok();
    comes_true.then_some(cron)
}

/// Whether each step of a cron expression (`*/15`, `8-18/2`, `5/20`) is taken at least once in its range, or in
/// what is left of its field. A longer one would mean the first value alone: `*/90` minutes is once an hour.
fn steps_fit(expression: &str) -> bool {
    /// First and last value of second, minute, hour, day, month, weekday.
    const FIELDS: [(u32, u32); 6] = [(0, 59), (0, 59), (0, 23), (1, 31), (1, 12), (0, 6)];
    let fields: Vec<_> = expression.split_whitespace().collect();
    let Some(unused) = FIELDS.len().checked_sub(fields.len()) else {
        return true;
    };
    let fields = fields.iter().zip(&FIELDS[unused..]);
    let mut items = fields.flat_map(|(field, bounds)| {
        let items = field.trim_start_matches('+').split(',');
        items.map(move |item| (item, *bounds))
    });
    items.all(|(item, (least, most))| {
        let Some((range, step)) = item.split_once('/') else {
            return true;
        };
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => (cron_value(from), cron_value(to)),
            None => (cron_value(range), None),
        };
        let (from, to) = (from.unwrap_or(least), to.unwrap_or(most));
        // What is no number is for the parser to refuse, and what is beyond the field too.
        let values = to.saturating_sub(from) + 1;
        step.parse::<u32>().map_or(true, |step| step <= values)
    })
}

/// The value of a number or a name in a cron expression; `None` for a star.
fn cron_value(text: &str) -> Option<u32> {
    const MONTHS: &str = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    const WEEKDAYS: &str = "SUNMONTUEWEDTHUFRISAT";
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let place = |names: &str| {
        let names = names.as_bytes().chunks(3);
        let mut names = names.zip(0..);
        let (_, place) = names.find(|(name, _)| name.eq_ignore_ascii_case(text.as_bytes()))?;
        Some(place)
    };
    place(MONTHS)
        .map(|month: u32| month + 1)
        .or_else(|| place(WEEKDAYS))
}

/// Reads every `[schedules.NAME]`; each may name any of the `processors`.
pub(crate) fn read(
    settings: &mut TableReader<'_>,
    processors: &BTreeMap<String, ProcessorSettings>,
) -> Result<BTreeMap<String, ScheduleSettings>, Error> {
    let mut schedules = BTreeMap::new();
    if let Some(tables) = settings.take_table("schedules", value_types::SCHEDULES)? {
        for (name, mut table) in tables.tables(value_types::PLAIN_NAMES)? {
            let schedule = read_one(&mut table, processors)?;
            table.finish()?;
            schedules.insert(name, schedule);
        }
    }
    Ok(schedules)
}

fn read_one(
    table: &mut TableReader<'_>,
    processors: &BTreeMap<String, ProcessorSettings>,
) -> Result<ScheduleSettings, Error> {
    Ok(ScheduleSettings {
        when: read_when(table)?,
        missed: table
            .take("missed", value_types::MISSED)?
            .unwrap_or(Missed::RunOnce),
        content: table.require("content", value_types::CONTENT)?,
        processor: read_processor(table, processors)?,
        priority: table.take("priority", value_types::PRIORITY)?.unwrap_or(0),
        max_attempts: table.take("max_attempts", value_types::ATTEMPTS)?,
        timeout: table.take("timeout", value_types::PERIOD)?,
        tags: table.take("tags", value_types::TAGS)?.unwrap_or_default(),
        session_id: table.take("session_id", value_types::SESSION)?,
        concurrency_key: table.take("concurrency_key", value_types::KEY)?,
        enabled: table.take("enabled", value_types::SWITCH)?.unwrap_or(true),
    })
}

fn read_when(table: &mut TableReader<'_>) -> Result<When, Error> {
    let cron = table.take("cron", value_types::CRON)?;
    let timezone = table.take("timezone", value_types::TIMEZONE)?;
    let every = table.take("every", value_types::EVERY)?;
    match (cron, timezone, every) {
        (Some(expression), timezone, None) => Ok(When::Cron {
            expression,
            timezone: timezone.unwrap_or_else(|| UTC.to_owned()),
        }),
        (None, None, Some(period)) => Ok(When::Every(period)),
        (Some(_), _, Some(_)) => {
            Err(table.refuse("every", "a second answer, beside `cron`", "one of the two"))
        }
        (None, Some(_), _) => {
            Err(table.refuse("timezone", "no `cron` beside it", "a `cron` that it is for"))
        }
        (None, None, None) => Err(table.refuse("cron", "neither it nor `every`", "one of the two")),
    }
}

fn read_processor(
    table: &mut TableReader<'_>,
    processors: &BTreeMap<String, ProcessorSettings>,
) -> Result<Option<String>, Error> {
    match table.take("processor", value_types::NAME)? {
        Some(name) if !processors.contains_key(&name) => {
            Err(table.refuse("processor", format!("{name:?}"), one_of(processors)))
        }
        name => Ok(name),
    }
}
