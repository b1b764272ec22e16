//! What happened when, for the charts: counted by the Writer as it commits, kept in memory by steps of
//! time, and stored every few seconds.
//!
//! A chart is read from memory alone: a few hundred steps, whatever the number of tasks. The table
//! `stats` only makes the counts outlive the process, and the journal what was not stored in time.

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

/// The counts, shared by the Writer, who adds to them, and the handles, who read them. Each locks for
/// moments.
#[derive(Clone, Default)]
pub(crate) struct Stats(Arc<Mutex<Series>>);

/// Steps kept while nobody knows whether the clock is right; a normal day has 216.
const STEPS: usize = 1000;

/// A step's length and beginning, in seconds.
type Place = (i64, i64);

/// The steps of all lengths.
struct Series {
    steps: BTreeMap<Place, Step>,
    /// Begun since the clock was last set.
    unsure: BTreeSet<Place>,
    /// Stored and forgotten since.
    gone: BTreeSet<Place>,
    clock: Clock,
    /// The newest journal row that is stored as counted.
    counted: i64,
    /// Those that have changed since they were stored.
    unstored: BTreeSet<Place>,
    /// When they are stored next, if there are any.
    due: Option<Instant>,
}

impl Stats {
    /// TaskCounts what happened at `now`.
    pub(crate) fn count(&self, now: Timestamp, happened: impl IntoIterator<Item = Happened>) {
        let mut happened = happened.into_iter().peekable();
        if happened.peek().is_some() {
            let happened: Vec<_> = happened.collect();
            self.lock().count(now, Instant::now(), &happened);
        }
    }

    /// Has the counts stored at the next opportunity.
    pub(crate) fn store_soon(&self) {
        self.lock().due = Some(Instant::now());
    }

    /// The counts of a window that ends at `now`.
    pub(crate) fn chart(&self, window: Window, now: Timestamp) -> Chart {
        let steps = self.lock().steps_of(window, now);
        Chart::of(window, now, &steps)
    }

    fn lock(&self) -> MutexGuard<'_, Series> {
        // What a panic may have left half done are counts.
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
    /// TaskCounts what happened at `now`, by a clock that may be wrong.
    fn count(&mut self, now: Timestamp, instant: Instant, happened: &[Happened]) {
        self.look_at_clock(now, instant);
        if !self.clock.is_steady(instant) {
            let places = places_at(now);
            let begun = places.filter(|place| !self.steps.contains_key(place));
            self.unsure.extend(begun);
        }
        self.count_at(now, happened);
    }

    fn count_at(&mut self, time: Timestamp, happened: &[Happened]) {
        for place in places_at(time) {
            let step = self.steps.entry(place).or_default();
            happened.iter().for_each(|one| step.count(*one));
            self.unstored.insert(place);
            self.gone.remove(&place);
        }
        self.due
            .get_or_insert_with(|| Instant::now() + store::INTERVAL);
    }

    /// A clock that was set: steps that it began and that lie ahead of the time it shows have never been.
    fn look_at_clock(&mut self, now: Timestamp, instant: Instant) {
        if self.clock.was_set(now, instant) {
            let unsure = std::mem::take(&mut self.unsure);
            self.forget(|place| unsure.contains(place) && is_ahead(place, now));
        } else if self.clock.is_steady(instant) {
            self.unsure.clear();
        }
    }

    /// The steps of a window that have counts.
    fn steps_of(&self, window: Window, now: Timestamp) -> BTreeMap<i64, Step> {
        let length = window.step_seconds();
        let range = (length, window.first_step(now))..=(length, window.step_at(now));
        let steps = self.steps.range(range);
        steps.map(|((_, at), step)| (*at, step.clone())).collect()
    }

    /// Forgets what no chart looks back on any more, and what lies ahead; nothing soon after the clock was
    /// set, because it may be set back.
    fn forget_useless(&mut self, now: Timestamp, instant: Instant) {
        self.look_at_clock(now, instant);
        if self.clock.is_steady(instant) || self.steps.len() > STEPS {
            self.forget(|place| is_old(place, now) || is_ahead(place, now));
        }
    }

    fn forget(&mut self, is_useless: impl Fn(&Place) -> bool) {
        let useless = self.steps.keys().filter(|place| is_useless(place));
        self.gone.extend(useless);
        self.steps.retain(|place, _| !is_useless(place));
        self.unstored.retain(|place| !is_useless(place));
        if !self.gone.is_empty() {
            self.due
                .get_or_insert_with(|| Instant::now() + store::INTERVAL);
        }
    }
}

/// The steps of this time.
fn places_at(time: Timestamp) -> impl Iterator<Item = Place> {
    let windows = Window::ALL.into_iter();
    windows.map(move |window| (window.step_seconds(), window.step_at(time)))
}

fn is_old(place: &Place, now: Timestamp) -> bool {
    let mut windows = Window::ALL.into_iter();
    windows.any(|window| window.step_seconds() == place.0 && place.1 < window.first_step(now))
}

fn is_ahead(place: &Place, now: Timestamp) -> bool {
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
    fn a_clock_that_is_wrong_for_a_while_costs_nothing() {
        let (mut series, time, instant) = begun();
        for wrong in [time.after(MONTH), time.before(MONTH)] {
            series.count(wrong, instant, &[Happened::Created]);
            series.forget_useless(wrong, instant + MINUTE);
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
            series.forget_useless(time, instant);
        }
        assert!(series.steps.is_empty());
        assert_eq!(series.gone.len(), 3);
    }

    #[test]
    fn a_clock_that_is_set_for_good_is_believed_after_a_while() {
        let (mut series, time, instant) = begun();
        let later = time.after(MONTH);
        series.count(later, instant, &[Happened::Created]);
        series.forget_useless(later.after(30 * MINUTE), instant + 30 * MINUTE);
        assert_eq!(series.steps.len(), 2, "of the hour and the day");
        assert_eq!(created(&series, later.after(30 * MINUTE)), 1);
    }
}
