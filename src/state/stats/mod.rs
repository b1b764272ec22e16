//! What happened when, for the charts: counted by the Writer as it commits, kept in memory by steps of
//! time, and stored every few seconds.
//!
//! A chart is read from memory alone: a few hundred steps, whatever the number of tasks. The table
//! `stats` only makes the counts outlive the process, and the journal what was not stored in time.

mod chart;
mod histogram;
mod store;
mod tally;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use chart::{Chart, Point, Window};
pub use histogram::Summary;
use histogram::{Histogram, Measured};
pub(super) use tally::Happened;
use tally::Step;

use crate::models::Timestamp;

/// The counts, shared by the Writer, who adds to them, and the handles, who read them. Each locks for
/// moments.
#[derive(Clone, Default)]
pub(super) struct Stats(Arc<Mutex<Series>>);

/// A step's length and beginning, in seconds.
type Place = (i64, i64);

/// The steps of all lengths.
#[derive(Default)]
struct Series {
    steps: BTreeMap<Place, Step>,
    /// Those that have changed since they were stored.
    unstored: BTreeSet<Place>,
    /// When they are stored next, if there are any.
    due: Option<Instant>,
}

impl Stats {
    /// Counts what happened at `now`.
    pub fn count(&self, now: Timestamp, happened: impl IntoIterator<Item = Happened>) {
        let mut happened = happened.into_iter().peekable();
        if happened.peek().is_some() {
            let happened: Vec<_> = happened.collect();
            self.lock().count(now, &happened);
        }
    }

    /// The counts of a window that ends at `now`.
    pub fn chart(&self, window: Window, now: Timestamp) -> Chart {
        let steps = self.lock().steps_of(window, now);
        Chart::of(window, now, &steps)
    }

    fn lock(&self) -> MutexGuard<'_, Series> {
        // What a panic may have left half done are counts.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Series {
    fn count(&mut self, now: Timestamp, happened: &[Happened]) {
        for window in Window::ALL {
            let place = (window.step_seconds(), window.step_at(now));
            let step = self.steps.entry(place).or_default();
            happened.iter().for_each(|one| step.count(*one));
            self.unstored.insert(place);
        }
        self.due
            .get_or_insert_with(|| Instant::now() + store::INTERVAL);
    }

    /// The steps of a window that have counts.
    fn steps_of(&self, window: Window, now: Timestamp) -> BTreeMap<i64, Step> {
        let length = window.step_seconds();
        let range = (length, window.first_step(now))..=(length, window.step_at(now));
        let steps = self.steps.range(range);
        steps.map(|((_, at), step)| (*at, step.clone())).collect()
    }

    /// Forgets what no chart looks back on any more.
    fn forget_old(&mut self, now: Timestamp) {
        let is_old = |&(length, at): &Place| {
            let window = Window::ALL.into_iter();
            let window = window.filter(|window| window.step_seconds() == length);
            window
                .map(|window| window.first_step(now))
                .any(|first| at < first)
        };
        self.steps.retain(|place, _| !is_old(place));
        self.unstored.retain(|place| !is_old(place));
    }
}
