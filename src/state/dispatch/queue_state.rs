//! The Writer's picture of the queue in memory: its limits, its pauses, its lanes of pending tasks, and the
//! running attempts. Pure.
//!
//! It decides what may start without asking the database. The Writer changes it only after a commit. Pending
//! tasks are counted by lane; when another program changes the database, the Writer counts them again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::models::{Attempt, ClaimedTask, HiveLink, Pause, QueueStatus, TaskId, Timestamp};
use crate::state::dispatch::lanes::Lanes;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::limits::Limits;
use crate::state::dispatch::poll_slot::PollSlot;
use crate::state::dispatch::recent_starts::RecentStarts;
use crate::state::dispatch::running::{FreedSlot, RunningSet};

/// The queue as the Writer knows it.
#[derive(Debug)]
pub(crate) struct QueueState {
    pub(super) limits: Arc<Limits>,
    pub(crate) pause: Option<Pause>,
    /// The pauses of single processors.
    pub(crate) paused_processors: HashMap<String, Pause>,
    /// Whether an executor takes claimed tasks. False before the service is ready and while it stops.
    pub(crate) claiming: bool,
    /// Set while the Writer corrects times after the clock was set forward: until then tasks may look due that
    /// are not.
    pub(crate) restoring: bool,
    pub(crate) lanes: Lanes,
    /// Number of pending tasks whose dependencies are not finished. They are in no lane.
    pub(crate) blocked: u64,
    /// Tasks that at least one blocked task depends on.
    pub(crate) awaited: HashSet<TaskId>,
    /// Claim requests of outside workers, the oldest first.
    pub(crate) poll_slots: Vec<PollSlot>,
    pub(crate) hive: HiveLink,
    pub(super) running: RunningSet,
    pub(super) starts: RecentStarts,
}

impl QueueState {
    pub(crate) fn new(limits: Limits, pause: Option<Pause>) -> Self {
        Self {
            limits: Arc::new(limits),
            pause,
            paused_processors: HashMap::new(),
            claiming: false,
            restoring: false,
            lanes: Lanes::default(),
            blocked: 0,
            awaited: HashSet::new(),
            poll_slots: Vec::new(),
            hive: HiveLink::Off,
            running: RunningSet::default(),
            starts: RecentStarts::default(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Replaces the limits and wakes every lane that slept because of the old ones.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = Arc::new(limits);
        self.lanes.wake_all();
    }

    pub(crate) fn status(&self) -> QueueStatus {
        let running = self.running.len();
        QueueStatus {
            paused: self.pause.is_some(),
            pending: self.pending_total(),
            active: running,
            processing: running,
            limit: self.limits.running,
            hive: self.hive.clone(),
            problem: None,
        }
    }

    /// Returns the number of pending tasks, blocked ones included.
    pub(crate) fn pending_total(&self) -> u64 {
        self.lanes.total() + self.blocked
    }

    pub(crate) fn running_total(&self) -> u64 {
        self.running.len()
    }

    pub(crate) fn running_of_processor(&self, name: &str) -> u64 {
        self.running.count_of_processor(name)
    }

    /// Returns the pause of a processor, if it is paused at `now`.
    pub(crate) fn processor_pause(&self, name: &str, now: Timestamp) -> Option<&Pause> {
        let pause = self.paused_processors.get(name);
        pause.filter(|pause| pause.is_active_at(now))
    }

    /// Returns when the processor's rate allows the next start; `None` if it allows one at `now`.
    pub(crate) fn processor_rate_frees_at(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let rate = self.limits.processor(name).rate?;
        self.starts.of_processor(name)?.frees_at(now, rate)
    }

    /// Returns when the key's rate allows the next start; `None` if it allows one at `now`.
    pub(crate) fn key_rate_frees_at(&self, key: &str, now: Timestamp) -> Option<Timestamp> {
        let rate = self.limits.key(key).rate?;
        self.starts.of_key(key)?.frees_at(now, rate)
    }

    /// Adds an attempt that starts at `now`, and counts its start for the rates.
    pub(crate) fn add_running(&mut self, task: &ClaimedTask, now: Timestamp) {
        self.record_start(&task.processor, task.concurrency_key.as_deref(), now);
        self.restore_running(task, now);
    }

    /// Adds an attempt that has been running since `since`. Its start does not count for the rates.
    pub(crate) fn restore_running(&mut self, task: &ClaimedTask, since: Timestamp) {
        // Another program can set a running row back to PENDING. The task's latest attempt holds the slot.
        if let Some((_, Some(key))) = self.running.remove_at(task.attempt.seq) {
            self.lanes.wake(&key);
        }
        self.running.insert(task, since, &self.limits);
    }

    /// Moves every remembered time by `seconds`, because the clock was set.
    pub(crate) fn shift(&mut self, seconds: f64) {
        self.running.shift(seconds);
        self.starts.shift(seconds);
        self.lanes.forget_times();
    }

    /// Forgets all starts, so that the Writer can load them anew.
    pub(crate) fn forget_starts(&mut self) {
        self.starts.clear();
    }

    /// Counts a start at `at` for the rates of the processor and the key.
    pub(crate) fn record_start(&mut self, processor: &str, key: Option<&str>, at: Timestamp) {
        self.starts.record(processor, key, at, &self.limits);
    }

    pub(crate) fn is_running(&self, attempt: &Attempt) -> bool {
        self.running.contains(attempt)
    }

    /// Removes the attempt, if it runs, and wakes the lanes of its key.
    pub(crate) fn remove_running(&mut self, attempt: &Attempt) -> Option<FreedSlot> {
        let (freed, key) = self.running.remove(attempt)?;
        if let Some(key) = key {
            self.lanes.wake(&key);
        }
        Some(freed)
    }

    /// Wakes the lanes of the keys that these attempts free when they end.
    pub(crate) fn wake_lanes<'a>(&mut self, ending: impl Iterator<Item = &'a Attempt>) {
        for running in ending.filter_map(|attempt| self.running.get(attempt.seq)) {
            if let Some(key) = running.lane().key {
                self.lanes.wake(key);
            }
        }
    }

    /// Returns the lane from which a running attempt came.
    pub(crate) fn lane_of(&self, attempt: &Attempt) -> Option<LaneName<'_>> {
        let running = self.running.get(attempt.seq)?;
        Some(running.lane())
    }
}
