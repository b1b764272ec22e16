//! The statistics behind the charts: counts in steps of time, kept in memory and stored every few seconds.
//!
//! The Writer counts with each commit. A chart reads memory only: a few hundred steps, whatever the number of tasks.
//! The table `stats` keeps the counts over a restart; what was not stored in time is counted again from the journal.

pub(in crate::state) mod chart;
pub(in crate::state) mod histogram;
pub(in crate::state) mod store;
pub(in crate::state) mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub(crate) use chart::{Chart, Window};
use histogram::{Histogram, Measured};
pub(crate) use tally::Happened;
use tally::Step;

use crate::models::{Clock, Timestamp};

/// The counts. The Writer adds to them and the handles read them; each holds the lock briefly.
#[derive(Clone, Default)]
pub(crate) struct Stats(Arc<Mutex<Series>>);

/// Steps to keep while the clock may be wrong. A normal day has 216.
const STEPS: usize = 1000;

/// The length of a step and its start, in seconds.
type StepKey = (i64, i64);

/// The steps of all lengths.
struct Series {
    steps: BTreeMap<StepKey, Step>,
    /// Steps that began since the clock was last set.
    unsure: BTreeSet<StepKey>,
    /// Steps that were dropped from memory and are still stored.
    gone: BTreeSet<StepKey>,
    clock: Clock,
    /// Id of the newest journal row whose count is stored.
    counted: i64,
    /// Steps that have changed since they were stored.
    unstored: BTreeSet<StepKey>,
    /// When to store next, if there is something to store.
    due: Option<Instant>,
}

impl Stats {
    /// Counts what happened at `now`.
    pub(crate) fn count(&self, now: Timestamp, happened: impl IntoIterator<Item = Happened>) {
        let mut happened = happened.into_iter().peekable();
        if happened.peek().is_some() {
            let happened: Vec<_> = happened.collect();
            self.lock().count(now, Instant::now(), &happened);
        }
    }

    /// Makes the Writer store the counts at the next opportunity.
    pub(crate) fn store_soon(&self) {
        self.lock().due = Some(Instant::now());
    }

    /// Returns the chart of a window that ends at `now`.
    pub(crate) fn chart(&self, window: Window, now: Timestamp) -> Chart {
        let steps = self.lock().steps_of(window, now);
        Chart::of(window, now, &steps)
    }

    fn lock(&self) -> MutexGuard<'_, Series> {
        // After a panic at most a count is incomplete.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Series {
    fn default() -> Self {
        Self {
            steps: BTreeMap::new(),
            unsure: BTreeSet::new(),
            gone: BTreeSet::new(),
            clock: Clock::new(Timestamp::now(), Instant::now()),
            counted: 0,
            unstored: BTreeSet::new(),
            due: None,
        }
    }
}

impl Series {
    /// Counts what happened at `now`, by a clock that may be wrong.
    fn count(&mut self, now: Timestamp, instant: Instant, happened: &[Happened]) {
        self.check_clock(now, instant);
        if !self.clock.is_steady(instant) {
            let places = steps_at(now);
            let begun = places.filter(|place| !self.steps.contains_key(place));
            self.unsure.extend(begun);
        }
        self.count_at(now, happened);
    }

    fn count_at(&mut self, time: Timestamp, happened: &[Happened]) {
        for place in steps_at(time) {
            let step = self.steps.entry(place).or_default();
            happened.iter().for_each(|one| step.count(*one));
            self.unstored.insert(place);
            self.gone.remove(&place);
        }
        self.due
            .get_or_insert_with(|| Instant::now() + store::INTERVAL);
    }

    /// Checks the clock. If it was set back, drops the steps of the future that it began.
    fn check_clock(&mut self, now: Timestamp, instant: Instant) {
        if self.clock.was_set(now, instant) {
            let unsure = std::mem::take(&mut self.unsure);
            self.drop_steps(|place| unsure.contains(place) && is_ahead(place, now));
        } else if self.clock.is_steady(instant) {
            self.unsure.clear();
        }
    }

    /// Returns the steps of a window that have counts.
    fn steps_of(&self, window: Window, now: Timestamp) -> BTreeMap<i64, Step> {
        let length = window.step_seconds();
        let range = (length, window.first_step(now))..=(length, window.step_at(now));
        let steps = self.steps.range(range);
        steps.map(|((_, at), step)| (*at, step.clone())).collect()
    }

    /// Drops steps that no chart shows: too old ones and future ones. Keeps all for a while after the clock was set,
    /// because it may be set back.
    fn drop_unused(&mut self, now: Timestamp, instant: Instant) {
        self.check_clock(now, instant);
        if self.clock.is_steady(instant) || self.steps.len() > STEPS {
            self.drop_steps(|place| is_old(place, now) || is_ahead(place, now));
        }
    }

    fn drop_steps(&mut self, is_unused: impl Fn(&StepKey) -> bool) {
        let useless = self.steps.keys().filter(|place| is_unused(place));
        self.gone.extend(useless);
        self.steps.retain(|place, _| !is_unused(place));
        self.unstored.retain(|place| !is_unused(place));
        if !self.gone.is_empty() {
            self.due
                .get_or_insert_with(|| Instant::now() + store::INTERVAL);
        }
    }
}

/// Returns the steps of all lengths that contain this time.
fn steps_at(time: Timestamp) -> impl Iterator<Item = StepKey> {
    let windows = Window::ALL.into_iter();
    windows.map(move |window| (window.step_seconds(), window.step_at(time)))
}

fn is_old(place: &StepKey, now: Timestamp) -> bool {
    let mut windows = Window::ALL.into_iter();
    windows.any(|window| window.step_seconds() == place.0 && place.1 < window.first_step(now))
}

fn is_ahead(place: &StepKey, now: Timestamp) -> bool {
    let mut windows = Window::ALL.into_iter();
    windows.any(|window| window.step_seconds() == place.0 && place.1 > window.step_at(now))
}

#[cfg(test)]
pub(in crate::state) mod tests {
    use super::*;
    use std::time::Duration;

    const MINUTE: Duration = Duration::from_mins(1);
    const MONTH: Duration = Duration::from_hours(24 * 30);

    /// A series that has counted one thing, a clock and an instant.
    fn begun() -> (Series, Timestamp, Instant) {
        let (time, instant) = (Timestamp::now(), Instant::now());
        let mut series = Series {
            clock: Clock::new(time, instant),
            ..Series::default()
        };
        series.count(time, instant, &[Happened::Created]);
        (series, time, instant)
    }

    fn created(series: &Series, now: Timestamp) -> u64 {
        let steps = series.steps_of(Window::Day, now);
        steps.values().map(|step| step.created).sum()
    }

    #[test]
    fn a_clock_that_is_wrong_for_a_while_loses_no_count() {
        let (mut series, time, instant) = begun();
        for wrong in [time.after(MONTH), time.before(MONTH)] {
            series.count(wrong, instant, &[Happened::Created]);
            series.drop_unused(wrong, instant + MINUTE);
            assert_eq!(created(&series, wrong), 1);
            series.count(time, instant + MINUTE, &[]);
            assert_eq!(created(&series, time), 1);
        }
    }

    #[test]
    fn what_a_clock_has_counted_that_was_ahead_is_dropped_when_it_is_back() {
        let (mut series, time, instant) = begun();
        let hour = time.after(60 * MINUTE);
        series.count(hour, instant, &[Happened::Created]);
        series.count(time, instant, &[]);
        assert_eq!(created(&series, hour), 1);
        assert_eq!(series.gone.len(), 3);
    }

    #[test]
    fn what_is_old_is_forgotten_once_the_clock_has_gone_on_for_long() {
        let (mut series, mut time, mut instant) = begun();
        for _ in 0..30 * 60 {
            (time, instant) = (time.after(MINUTE), instant + MINUTE);
            series.drop_unused(time, instant);
        }
        assert!(series.steps.is_empty());
        assert_eq!(series.gone.len(), 3);
    }

    #[test]
    fn a_clock_that_is_set_for_good_is_believed_after_a_while() {
        let (mut series, time, instant) = begun();
        let later = time.after(MONTH);
        series.count(later, instant, &[Happened::Created]);
        series.drop_unused(later.after(30 * MINUTE), instant + 30 * MINUTE);
        assert_eq!(series.steps.len(), 2, "of the hour and the day");
        assert_eq!(created(&series, later.after(30 * MINUTE)), 1);
    }
}
