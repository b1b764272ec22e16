//! The due times of one schedule, and which of them become tasks. Pure.

use std::time::Duration;

use super::cron::Cron;
use crate::config::{Missed, When};
use crate::models::Timestamp;

/// When a schedule is due.
pub(crate) struct Timetable(Times);

enum Times {
    Cron(Box<Cron>),
    Every(Duration),
    /// An expression that the settings would not have accepted.
    Never,
}

/// What a schedule has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The task of this due time.
    Submit(Timestamp),
    /// Nothing for the times up to this one.
    Skip(Timestamp),
    /// Nothing before this time, or ever.
    Wait(Option<Timestamp>),
}

impl Timetable {
    pub(crate) fn new(when: &When) -> Self {
        Self(match when {
            When::Every(period) => Times::Every(*period),
            When::Cron {
                expression,
                timezone,
            } => Cron::new(expression, timezone)
                .map_or(Times::Never, |cron| Times::Cron(Box::new(cron))),
        })
    }

    /// What is to be done at `now` by a schedule that has come as far as `mark` and is served since
    /// `since`: due times before that were missed, those after it each make a task.
    pub(crate) fn step(
        &self,
        mark: Timestamp,
        since: Timestamp,
        now: Timestamp,
        missed: Missed,
    ) -> Step {
        if let Some(latest) = self.latest(mark, since.min(now)) {
            return match missed {
                Missed::RunOnce => Step::Submit(latest),
                Missed::Skip => Step::Skip(latest),
            };
        }
        match self.next(mark, mark) {
            Some(due) if due <= now => Step::Submit(due),
            due => Step::Wait(due),
        }
    }

    /// The first due time after `after`, which is not before the mark.
    pub(crate) fn next(&self, mark: Timestamp, after: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Times::Cron(cron) => cron.next(after.utc()).map(Timestamp::from),
            Times::Every(period) => {
                let passed = (after.utc() - mark.utc()).num_microseconds()?.max(0);
                let period = i64::try_from(period.as_micros()).ok()?.max(1);
                let periods = passed / period + 1;
                let micros = u64::try_from(periods.checked_mul(period)?).ok()?;
                Some(mark.after(Duration::from_micros(micros)))
            }
            Times::Never => None,
        }
        .filter(|due| *due > after)
    }

    /// The last due time after the mark and before `before`.
    fn latest(&self, mark: Timestamp, before: Timestamp) -> Option<Timestamp> {
        let next = |after| self.next(mark, after).filter(|due| *due < before);
        let mut latest = next(mark)?;
        let mut beyond = before;
        // Halving, because a minute is due half a million times a year.
        while let Some(following) = next(latest) {
            let half = Duration::from_secs_f64(beyond.seconds_since(latest).max(0.0) / 2.0);
            match next(latest.after(half)) {
                Some(due) => latest = due,
                None if half < Duration::from_secs(1) => latest = following,
                None => beyond = latest.after(half),
            }
        }
        Some(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every(seconds: f64) -> Timetable {
        Timetable::new(&When::Every(Duration::from_secs_f64(seconds)))
    }

    fn cron(expression: &str) -> Timetable {
        Timetable::new(&When::Cron {
            expression: expression.to_owned(),
            timezone: "Europe/Berlin".to_owned(),
        })
    }

    const MARK: &str = "2026-05-01T10:00:00Z";

    #[test]
    fn times_at_which_it_is_served_are_due_one_by_one() {
        let table = every(10.0);
        let step = |now| table.step(at(MARK), at(MARK), at(now), Missed::Skip);
        let first = at("2026-05-01T10:00:10Z");
        assert_eq!(step("2026-05-01T10:00:09.999Z"), Step::Wait(Some(first)));
        assert_eq!(step("2026-05-01T10:00:10Z"), Step::Submit(first));
        assert_eq!(step("2026-05-01T10:00:45Z"), Step::Submit(first));
    }

    #[test]
    fn of_missed_times_the_last_is_due_or_none() {
        for (table, latest, next) in [
            (
                every(3600.0),
                "2026-05-04T11:00:00Z",
                "2026-05-04T12:00:00Z",
            ),
            (every(0.7), "2026-05-04T11:29:59.3Z", "2026-05-04T11:30:00Z"),
            (
                cron("0 3 * * *"),
                "2026-05-04T01:00:00Z",
                "2026-05-05T01:00:00Z",
            ),
            (
                cron("* * * * * *"),
                "2026-05-04T11:29:59Z",
                "2026-05-04T11:30:00Z",
            ),
        ] {
            let since = at("2026-05-04T11:30:00Z");
            let step = |mark, missed| table.step(mark, since, since, missed);
            let latest = at(latest);
            assert_eq!(step(at(MARK), Missed::RunOnce), Step::Submit(latest));
            assert_eq!(step(at(MARK), Missed::Skip), Step::Skip(latest));
            let next = at(next);
            let then = if next <= since {
                Step::Submit(next)
            } else {
                Step::Wait(Some(next))
            };
            assert_eq!(step(latest, Missed::RunOnce), then);
        }
    }

    #[test]
    fn a_time_that_is_due_when_service_begins_is_not_missed() {
        let table = every(60.0);
        let begins = at("2026-05-01T10:01:00Z");
        let step = table.step(at(MARK), begins, begins, Missed::Skip);
        assert_eq!(step, Step::Submit(begins));
    }

    #[test]
    fn the_last_of_a_year_of_seconds_is_found_at_once() {
        let table = cron("* * 3 * * *");
        let since = at("2027-05-01T10:00:00Z");
        let step = table.step(at(MARK), since, since, Missed::RunOnce);
        assert_eq!(step, Step::Submit(at("2027-05-01T01:59:59Z")));
    }

    #[test]
    fn a_mark_in_the_future_is_waited_for() {
        let now = at("2026-04-01T00:00:00Z");
        let step = every(60.0).step(at(MARK), now, now, Missed::RunOnce);
        assert_eq!(step, Step::Wait(Some(at("2026-05-01T10:01:00Z"))));
    }

    #[test]
    fn what_is_no_expression_is_never_due() {
        let step = cron("nonsense").step(at(MARK), at(MARK), at(MARK), Missed::RunOnce);
        assert_eq!(step, Step::Wait(None));
    }
}
