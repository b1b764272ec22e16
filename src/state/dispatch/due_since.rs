//! Since when pending tasks have been ready. Pure.
//!
//! For most tasks this is `run_at`. A task that was blocked by a dependency, deferred, interrupted or imported
//! keeps its position in the lane by `run_at`, but it became due later: when it could first start. These times
//! are kept in memory alone; after a restart they begin with the start of the service.

use std::collections::HashMap;

use crate::models::Timestamp;

/// Entries to keep at most. The times of purged and deleted tasks stay until this many are kept.
const MAX_ENTRIES: usize = 200_000;

/// The columns of a pending task that tell since when it is due.
#[derive(Clone, Debug)]
pub(crate) struct DueKey {
    pub(crate) seq: i64,
    pub(crate) run_at: Timestamp,
    /// The task was blocked by a dependency, or an attempt of it did not count.
    pub(crate) was_held: bool,
    pub(crate) is_imported: bool,
}

/// The times since which tasks are due, where these differ from `run_at`.
pub(crate) struct DueSince {
    service_start: Timestamp,
    /// Time of the latest import, or the start of the service.
    last_import: Timestamp,
    by_seq: HashMap<i64, Timestamp>,
}

impl DueSince {
    pub(crate) fn new(service_start: Timestamp) -> Self {
        Self {
            service_start,
            last_import: service_start,
            by_seq: HashMap::new(),
        }
    }

    /// Records that the task in row `seq` can start from `now` on.
    pub(crate) fn record(&mut self, seq: i64, now: Timestamp) {
        if self.by_seq.len() >= MAX_ENTRIES {
            self.by_seq.clear();
        }
        self.by_seq.insert(seq, now);
    }

    /// Records that tasks were imported at `now`.
    pub(crate) fn record_import(&mut self, now: Timestamp) {
        self.last_import = now;
    }

    /// Moves every time by `seconds`, because the clock was set.
    pub(crate) fn shift(&mut self, seconds: f64) {
        let recorded = self.by_seq.values_mut();
        for time in recorded.chain([&mut self.service_start, &mut self.last_import]) {
            *time = time.shifted(seconds);
        }
    }

    /// Returns the time at which the task became due.
    pub(crate) fn get(&self, task: &DueKey) -> Timestamp {
        let held = task.was_held.then_some(self.service_start);
        let imported = task.is_imported.then_some(self.last_import);
        let recorded = self.by_seq.get(&task.seq).copied();
        let floors = [held, imported, recorded].into_iter().flatten();
        floors.fold(task.run_at, Timestamp::max)
    }

    /// Returns the time at which the task became due, and forgets it.
    pub(crate) fn remove(&mut self, task: &DueKey) -> Timestamp {
        let since = self.get(task);
        self.by_seq.remove(&task.seq);
        since
    }
}
