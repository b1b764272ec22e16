//! Since when waiting tasks are due. Pure.
//!
//! `run_at` says it of most. It is earlier than that for a task that waited for other tasks, was held off or
//! interrupted, or came with a dump: such a task keeps the place in its lane that its `run_at` gives it, and has
//! been due since the moment it could first start. These moments are kept in memory, and after a restart are
//! those of the start.

use std::collections::HashMap;

use crate::models::Timestamp;

/// Moments kept at most: those of tasks that were purged or deleted stay until then.
const MOMENTS: usize = 200_000;

/// A waiting task, as far as it says since when it is due.
#[derive(Clone, Debug)]
pub(crate) struct DueKey {
    pub(crate) seq: i64,
    pub(crate) run_at: Timestamp,
    /// It waited for other tasks, or an attempt of it did not count.
    pub(crate) was_held: bool,
    pub(crate) is_imported: bool,
}

/// Since when tasks are due whose `run_at` does not say it.
pub(crate) struct Ready {
    start: Timestamp,
    /// When tasks were imported last, or the start.
    imported: Timestamp,
    since: HashMap<i64, Timestamp>,
}

impl Ready {
    pub(crate) fn new(start: Timestamp) -> Self {
        Self {
            start,
            imported: start,
            since: HashMap::new(),
        }
    }

    /// The task in row `seq` can start from `now` on.
    pub(crate) fn note(&mut self, seq: i64, now: Timestamp) {
        if self.since.len() >= MOMENTS {
            self.since.clear();
        }
        self.since.insert(seq, now);
    }

    /// Tasks were imported.
    pub(crate) fn note_import(&mut self, now: Timestamp) {
        self.imported = now;
    }

    /// The clock was set: everything is as long ago as it was.
    pub(crate) fn shift(&mut self, seconds: f64) {
        let noted = self.since.values_mut();
        for time in noted.chain([&mut self.start, &mut self.imported]) {
            *time = time.shifted(seconds);
        }
    }

    /// Since when the task is due.
    pub(crate) fn since(&self, task: &DueKey) -> Timestamp {
        let held = task.was_held.then_some(self.start);
        let imported = task.is_imported.then_some(self.imported);
        let noted = self.since.get(&task.seq).copied();
        let floors = [held, imported, noted].into_iter().flatten();
        floors.fold(task.run_at, Timestamp::max)
    }

    /// Since when the task was due, which starts.
    pub(crate) fn take(&mut self, task: &DueKey) -> Timestamp {
        let since = self.since(task);
        self.since.remove(&task.seq);
        since
    }
}
