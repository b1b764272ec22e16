//! The running attempts and their counts: by processor, by concurrency key, and the memory they take. Pure.
//!
//! The counts come from the Writer's own claims and outcomes, never from rows.

use std::collections::HashMap;

use crate::models::{Attempt, ClaimedTask, Lease, TaskId, Timestamp};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::limits::{ExecutionSite, Limits};
use crate::state::dispatch::memory_use::{MemoryUse, TASK_OVERHEAD_BYTES};

/// One running attempt and what it occupies.
#[derive(Debug)]
pub(super) struct RunningAttempt {
    attempt: Attempt,
    processor: String,
    key: Option<String>,
    pub(super) site: ExecutionSite,
    pub(super) bytes: usize,
    since: Timestamp,
}

/// What an attempt that ended leaves behind.
pub(crate) struct FreedSlot {
    pub(crate) processor: String,
    /// Time at which the attempt began.
    pub(crate) since: Timestamp,
}

/// All running attempts by the row number of their task.
#[derive(Debug, Default)]
pub(super) struct RunningSet {
    attempts: HashMap<i64, RunningAttempt>,
    /// Slots of the queue that are in use.
    pub(super) local_slots: u64,
    by_processor: HashMap<String, u64>,
    by_key: HashMap<String, u64>,
    pub(super) memory: MemoryUse,
}

impl RunningAttempt {
    /// Builds the entry of a claimed task that has been running since `since`.
    fn new(task: &ClaimedTask, since: Timestamp, limits: &Limits) -> Self {
        let site = match task.terms.lease {
            // A leased attempt stays with its worker, whatever kind its processor has become.
            Some(Lease { length, .. }) => ExecutionSite::OutsideWorker { lease: length },
            None => limits.site(&task.processor).unwrap_or(ExecutionSite::Local),
        };
        Self {
            attempt: task.attempt,
            processor: task.processor.clone(),
            key: task.concurrency_key.clone(),
            site,
            bytes: task.content.len() + TASK_OVERHEAD_BYTES,
            since,
        }
    }

    /// Returns the number of queue slots that the attempt uses: one or none.
    pub(super) fn local_slots(&self) -> u64 {
        u64::from(self.site == ExecutionSite::Local)
    }

    pub(super) fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.processor,
            key: self.key.as_deref(),
        }
    }
}

impl RunningSet {
    pub(super) fn len(&self) -> u64 {
        self.attempts.len() as u64
    }

    /// Returns the attempt that runs for the task in row `seq`.
    pub(super) fn get(&self, seq: i64) -> Option<&RunningAttempt> {
        self.attempts.get(&seq)
    }

    pub(super) fn contains(&self, attempt: &Attempt) -> bool {
        self.get(attempt.seq)
            .is_some_and(|running| running.attempt == *attempt)
    }

    pub(super) fn count_of_processor(&self, name: &str) -> u64 {
        self.by_processor.get(name).copied().unwrap_or(0)
    }

    pub(super) fn count_of_key(&self, key: &str) -> u64 {
        self.by_key.get(key).copied().unwrap_or(0)
    }

    /// Iterates over the processors that run at least one task.
    pub(super) fn processors(&self) -> impl Iterator<Item = &str> {
        self.by_processor.keys().map(String::as_str)
    }

    /// Iterates over the running tasks, of one processor or one key if these are given.
    pub(super) fn tasks<'a>(
        &'a self,
        processor: Option<&'a str>,
        key: Option<&'a str>,
    ) -> impl Iterator<Item = TaskId> + 'a {
        let fits = move |running: &&RunningAttempt| {
            processor.is_none_or(|name| running.processor == name)
                && key.is_none_or(|key| running.key.as_deref() == Some(key))
        };
        let running = self.attempts.values().filter(fits);
        running.map(|running| running.attempt.task_id)
    }

    /// Adds an attempt and counts it.
    pub(super) fn insert(&mut self, task: &ClaimedTask, since: Timestamp, limits: &Limits) {
        let running = RunningAttempt::new(task, since, limits);
        increment(&mut self.by_processor, &task.processor);
        if let Some(key) = &task.concurrency_key {
            increment(&mut self.by_key, key);
        }
        self.local_slots += running.local_slots();
        self.memory.add(running.site, running.bytes);
        self.attempts.insert(task.attempt.seq, running);
    }

    /// Removes the attempt, if it runs, and returns what it held and its concurrency key.
    pub(super) fn remove(&mut self, attempt: &Attempt) -> Option<(FreedSlot, Option<String>)> {
        if !self.contains(attempt) {
            return None;
        }
        let running = self.attempts.remove(&attempt.seq)?;
        self.local_slots -= running.local_slots();
        self.memory.subtract(running.site, running.bytes);
        decrement(&mut self.by_processor, &running.processor);
        if let Some(key) = &running.key {
            decrement(&mut self.by_key, key);
        }
        let freed = FreedSlot {
            processor: running.processor,
            since: running.since,
        };
        Some((freed, running.key))
    }

    /// Removes whatever attempt runs for the task in row `seq`.
    pub(super) fn remove_at(&mut self, seq: i64) -> Option<(FreedSlot, Option<String>)> {
        let attempt = self.get(seq)?.attempt;
        self.remove(&attempt)
    }

    /// Moves every start time by `seconds`, because the clock was set.
    pub(super) fn shift(&mut self, seconds: f64) {
        for running in self.attempts.values_mut() {
            running.since = running.since.shifted(seconds);
        }
    }
}

fn increment(counts: &mut HashMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

fn decrement(counts: &mut HashMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}
