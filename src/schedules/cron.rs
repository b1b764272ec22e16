//! A cron expression in its time zone: the next time at which the local clock shows one of its times.
//!
//! Between two changes of the zone's offset the local clock runs evenly, and so the search goes from
//! change to change. What a change does depends on the expression. With a `*` in second, minute or hour
//! it follows the clock: times that the clock leaps over are no times, and times that it shows twice
//! count twice. Any other names times of day: one that is leapt over is due right after the leap, and
//! one that is shown twice is due the first time.

use chrono::{DateTime, Datelike, Duration, NaiveDateTime, SubsecRound, Timelike, Utc};
use jiff::civil;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::config::{parse_cron, time_zone};

/// No zone changes its offset twice within this time.
const BETWEEN_CHANGES: Duration = Duration::hours(12);

/// The times of one expression.
pub(crate) struct Cron {
    times: croner::Cron,
    zone: TimeZone,
    /// Whether each of its times of day is to be due once a day, whatever the clock does.
    has_times_of_day: bool,
}

impl Cron {
    /// `None` where one of the two is not what the settings would accept.
    pub(crate) fn new(expression: &str, timezone: &str) -> Option<Self> {
        Some(Self {
            times: parse_cron(expression)?,
            zone: time_zone(timezone)?,
            has_times_of_day: names_times_of_day(expression),
        })
    }

    /// The first due time after this one.
    pub(crate) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut from = after.trunc_subsecs(0);
        let mut inclusive = false;
        loop {
            let offset = self.offset(from);
            let shown = self.next_shown((from + offset).naive_utc(), inclusive)?;
            let due = shown.and_utc() - offset;
            inclusive = match self.next_change(from, due) {
                Some(change) => {
                    let after_leap = (change + self.offset(change)).naive_utc();
                    if self.has_times_of_day && shown < after_leap {
                        return Some(change);
                    }
                    from = change;
                    true
                }
                None if self.has_times_of_day && self.was_shown_before(shown, due) => {
                    from = due;
                    false
                }
                None => return Some(due),
            };
        }
    }

    /// The next time of the expression on an even clock.
    fn next_shown(&self, clock: NaiveDateTime, inclusive: bool) -> Option<NaiveDateTime> {
        let clock = clock.and_utc();
        let found = self.times.find_next_occurrence(&clock, inclusive).ok()?;
        Some(found.naive_utc())
    }

    fn offset(&self, at: DateTime<Utc>) -> Duration {
        // Beyond the year 9999 no zone has rules.
        let at = jiff::Timestamp::from_second(at.timestamp()).unwrap_or(jiff::Timestamp::MAX);
        duration(self.zone.to_offset(at))
    }

    /// The first moment after `from`, and not after `to`, at which the clock leaps.
    fn next_change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let offset = self.offset(from);
        let mut before = from;
        let mut after = from;
        while self.offset(after) == offset {
            if after >= to {
                return None;
            }
            before = after;
            after = (after + BETWEEN_CHANGES).min(to);
        }
        while (after - before).num_seconds() > 1 {
            let middle = before + Duration::seconds((after - before).num_seconds() / 2);
            if self.offset(middle) == offset {
                before = middle;
            } else {
                after = middle;
            }
        }
        Some(after)
    }

    /// Whether the clock shows this time twice, and `at` is not the first of the two.
    fn was_shown_before(&self, shown: NaiveDateTime, at: DateTime<Utc>) -> bool {
        let Some(shown_there) = civil(shown) else {
            return false;
        };
        match self.zone.to_ambiguous_timestamp(shown_there).offset() {
            AmbiguousOffset::Fold { before, .. } => shown.and_utc() - duration(before) < at,
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => false,
        }
    }
}

fn duration(offset: Offset) -> Duration {
    Duration::seconds(i64::from(offset.seconds()))
}

/// The same time of day, for the rules of the zone.
fn civil(shown: NaiveDateTime) -> Option<civil::DateTime> {
    let small = |number: u32| i8::try_from(number).ok();
    civil::DateTime::new(
        i16::try_from(shown.year()).ok()?,
        small(shown.month())?,
        small(shown.day())?,
        small(shown.hour())?,
        small(shown.minute())?,
        small(shown.second())?,
        0,
    )
    .ok()
}

fn names_times_of_day(expression: &str) -> bool {
    let fields: Vec<_> = expression.split_whitespace().collect();
    match fields.as_slice() {
        [nickname] => !nickname.eq_ignore_ascii_case("@hourly"),
        [time @ .., _, _, _] => !time.iter().any(|field| field.contains('*')),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The due times after `after` and before `before`, in UTC.
    #[track_caller]
    fn times(expression: &str, zone: &str, after: &str, before: &str) -> Vec<String> {
        let cron = Cron::new(expression, zone).unwrap();
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (mut at, mut found) = (time(after), Vec::new());
        loop {
            let next = cron.next(at).unwrap();
            assert!(next > at, "{next} after {at}");
            if next >= time(before) {
                return found;
            }
            at = next;
            found.push(at.format("%d %H:%M:%S").to_string());
        }
    }

    const BERLIN: &str = "Europe/Berlin";

    #[test]
    fn it_goes_by_the_clock_of_its_zone() {
        let (after, before) = ("2026-01-05T00:00:00Z", "2026-01-07T00:00:00Z");
        let expected = ["05 08:30:00", "06 08:30:00"];
        assert_eq!(times("30 9 * * *", BERLIN, after, before), expected);
        let expected = ["05 09:30:00", "06 09:30:00"];
        assert_eq!(times("30 9 * * *", "UTC", after, before), expected);
    }

    #[test]
    fn a_time_of_day_that_is_leapt_over_is_due_after_the_leap() {
        // 2026-03-29 in Berlin: 02:00 is followed by 03:00, which is 01:00 UTC.
        let (after, before) = ("2026-03-28T00:00:00Z", "2026-03-31T00:00:00Z");
        let expected = ["28 01:30:00", "29 01:00:00", "30 00:30:00"];
        assert_eq!(times("30 2 * * *", BERLIN, after, before), expected);
        let expected = ["28 01:15:00", "28 01:45:00", "29 01:00:00"];
        let before = "2026-03-29T12:00:00Z";
        assert_eq!(times("15,45 2 * * *", BERLIN, after, before), expected);
        // Shown right after the leap, it is due once.
        let expected = ["28 02:00:00", "29 01:00:00"];
        assert_eq!(times("0 3 * * *", BERLIN, after, before), expected);
    }

    #[test]
    fn a_time_of_day_that_is_shown_twice_is_due_the_first_time() {
        // 2026-10-25 in Berlin: 03:00, which is 01:00 UTC, is followed by 02:00.
        let (after, before) = ("2026-10-24T00:00:00Z", "2026-10-27T00:00:00Z");
        let expected = ["24 00:30:00", "25 00:30:00", "26 01:30:00"];
        assert_eq!(times("30 2 * * *", BERLIN, after, before), expected);
        let second_time = "2026-10-25T01:10:00Z";
        let expected = ["26 01:30:00"];
        assert_eq!(times("30 2 * * *", BERLIN, second_time, before), expected);
        let expected = ["24 01:00:00", "25 02:00:00", "26 02:00:00"];
        assert_eq!(times("0 3 * * *", BERLIN, after, before), expected);
    }

    #[test]
    fn a_star_follows_the_clock() {
        let (after, before) = ("2026-03-29T00:15:00Z", "2026-03-29T02:01:00Z");
        let expected = ["29 00:30:00", "29 01:00:00", "29 01:30:00", "29 02:00:00"];
        assert_eq!(times("*/30 * * * *", BERLIN, after, before), expected);
        let (after, before) = ("2026-10-24T23:45:00Z", "2026-10-25T02:01:00Z");
        let expected = [
            "25 00:00:00",
            "25 00:30:00",
            "25 01:00:00",
            "25 01:30:00",
            "25 02:00:00",
        ];
        assert_eq!(times("*/30 * * * *", BERLIN, after, before), expected);
        assert_eq!(times("@hourly", BERLIN, after, before).len(), 3);
        // Both hours that are called two o'clock, and none of those that were not shown.
        let whole_year = ("2026-10-25T00:00:00Z", "2027-10-20T00:00:00Z");
        let expected = ["25 00:30:00", "25 01:00:00", "25 01:30:00"];
        let found = times("*/30 2 25 10 *", BERLIN, whole_year.0, whole_year.1);
        assert_eq!(found, expected);
        let gap = ("2026-03-28T12:00:00Z", "2027-03-28T12:00:00Z");
        assert!(times("*/30 2 29 3 *", BERLIN, gap.0, gap.1).is_empty());
    }

    #[test]
    fn fractions_of_a_second_and_rare_times_are_found() {
        let (after, before) = ("2026-01-05T00:00:00.400Z", "2026-01-05T00:00:03Z");
        let expected = ["05 00:00:01", "05 00:00:02"];
        assert_eq!(times("* * * * * *", "UTC", after, before), expected);
        let (after, before) = ("2025-01-01T00:00:00Z", "2030-01-01T00:00:00Z");
        let expected = ["29 11:00:00"];
        assert_eq!(times("0 12 29 2 *", BERLIN, after, before), expected);
    }
}
