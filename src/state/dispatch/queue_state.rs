//! What the Writer knows of the queue without asking the database: who waits, who runs, what may
//! start. Pure.
//!
//! Running tasks are counted from the Writer's own claims and outcomes, never from rows. Waiting
//! tasks are counted by lane; a change of the database by another program makes the Writer count
//! them again. the queue state is changed only after a commit.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::models::{Attempt, ClaimedTask, HiveLink, Lease, Pause, QueueStatus, TaskId, Timestamp};
use crate::state::dispatch::capacity::{Bytes, Capacity, Change, Offer, TASK_BYTES};
use crate::state::dispatch::lanes::{LaneName, Lanes};
use crate::state::dispatch::limits::{Home, Limit, Limits};
use crate::state::dispatch::sliding_window::SlidingWindow;

/// The queue as the Writer knows it.
#[derive(Debug)]
pub(crate) struct QueueState {
    limits: Arc<Limits>,
    pub(crate) pause: Option<Pause>,
    /// Processors that start nothing, though the queue does.
    pub(crate) closed: HashMap<String, Pause>,
    /// Whether somebody takes claimed tasks.
    pub(crate) claiming: bool,
    /// Tasks may look due that are not: the clock was set forward, and times are being put back.
    pub(crate) restoring: bool,
    pub(crate) lanes: Lanes,
    /// Tasks that wait for other tasks; they are in no lane.
    pub(crate) blocked: u64,
    /// Tasks that some waiting task waits for.
    pub(crate) upstream: HashSet<TaskId>,
    pub(crate) offers: Vec<Offer>,
    pub(crate) hive: HiveLink,
    running: HashMap<i64, Slot>,
    /// Running tasks that take a place of the queue's.
    running_here: u64,
    running_by_processor: HashMap<String, u64>,
    running_by_key: HashMap<String, u64>,
    running_bytes: Bytes,
    processor_starts: HashMap<String, SlidingWindow>,
    key_starts: HashMap<String, SlidingWindow>,
}

/// The place of one running attempt.
#[derive(Debug)]
struct Slot {
    attempt: Attempt,
    processor: String,
    key: Option<String>,
    home: Home,
    bytes: usize,
    since: Timestamp,
}

/// A place that an attempt has given back.
pub(crate) struct Freed {
    pub(crate) processor: String,
    /// When the attempt began.
    pub(crate) since: Timestamp,
}

impl Slot {
    /// Places of the queue's that it takes.
    fn places(&self) -> u64 {
        u64::from(self.home == Home::Here)
    }

    fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.processor,
            key: self.key.as_deref(),
        }
    }
}

impl QueueState {
    pub(crate) fn new(limits: Limits, pause: Option<Pause>) -> Self {
        Self {
            limits: Arc::new(limits),
            pause,
            closed: HashMap::new(),
            claiming: false,
            restoring: false,
            lanes: Lanes::default(),
            blocked: 0,
            upstream: HashSet::new(),
            offers: Vec::new(),
            hive: HiveLink::Off,
            running: HashMap::new(),
            running_here: 0,
            running_by_processor: HashMap::new(),
            running_by_key: HashMap::new(),
            running_bytes: Bytes::default(),
            processor_starts: HashMap::new(),
            key_starts: HashMap::new(),
        }
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = Arc::new(limits);
        self.lanes.wake_all();
    }

    pub(crate) fn status(&self) -> QueueStatus {
        let running = self.running.len() as u64;
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

    pub(crate) fn pending_total(&self) -> u64 {
        self.lanes.total() + self.blocked
    }

    pub(crate) fn running_total(&self) -> u64 {
        self.running.len() as u64
    }

    pub(crate) fn running_of_processor(&self, name: &str) -> u64 {
        self.running_by_processor.get(name).copied().unwrap_or(0)
    }

    /// The running tasks of a processor or of a key, or all.
    pub(crate) fn running_tasks<'a>(
        &'a self,
        processor: Option<&'a str>,
        key: Option<&'a str>,
    ) -> impl Iterator<Item = TaskId> + 'a {
        let fits = move |slot: &&Slot| {
            processor.is_none_or(|name| slot.processor == name)
                && key.is_none_or(|key| slot.key.as_deref() == Some(key))
        };
        self.running
            .values()
            .filter(fits)
            .map(|slot| slot.attempt.task_id)
    }

    /// The processors that run something.
    pub(crate) fn running_processors(&self) -> impl Iterator<Item = &str> {
        self.running_by_processor.keys().map(String::as_str)
    }

    pub(crate) fn running_of_key(&self, key: &str) -> u64 {
        self.running_by_key.get(key).copied().unwrap_or(0)
    }

    /// When the processor's rate allows the next start, if it allows none now.
    pub(crate) fn processor_rate_frees_at(&self, name: &str, now: Timestamp) -> Option<Timestamp> {
        let rate = self.limits.processor(name).rate?;
        self.processor_starts.get(name)?.frees_at(now, rate)
    }

    /// When the key's rate allows the next start, if it allows none now.
    pub(crate) fn key_rate_frees_at(&self, key: &str, now: Timestamp) -> Option<Timestamp> {
        let rate = self.limits.key(key).rate?;
        self.key_starts.get(key)?.frees_at(now, rate)
    }

    /// What may start now, if the attempts in `ending` give their places back first.
    ///
    /// It costs as much as there are ending attempts, not as much as there are processors or keys.
    pub(crate) fn room<'a>(
        &self,
        ending: impl Iterator<Item = &'a Attempt>,
        now: Timestamp,
    ) -> Capacity {
        let mut here = self.running_here;
        let mut bytes = self.running_bytes;
        let mut room = Capacity {
            limits: Arc::clone(&self.limits),
            closed: !self.claiming || self.restoring || self.pause.is_some(),
            tasks: 0,
            bytes: Bytes::default(),
            now,
            processors: HashMap::new(),
            keys: HashMap::new(),
            offers: self.offers.clone(),
            hive: self.hive == HiveLink::Connected,
        };
        for slot in ending.filter_map(|attempt| self.running.get(&attempt.seq)) {
            here -= slot.places();
            bytes.take(slot.home, slot.bytes);
            room.give_back(slot.lane());
        }
        room.tasks = self.limits.running.unwrap_or(u64::MAX).saturating_sub(here);
        room.bytes = bytes.left_of(self.limits.running_bytes);
        room
    }

    /// Tasks of this processor that may start at `now`, after this change.
    pub(crate) fn free_of_processor(&self, name: &str, change: Change, now: Timestamp) -> u64 {
        if self
            .closed
            .get(name)
            .is_some_and(|pause| pause.holds_at(now))
        {
            return 0;
        }
        let rule = self.limits.processor(name);
        let running = self.running_by_processor.get(name);
        free(rule, running, self.processor_starts.get(name), change, now)
    }

    /// Tasks of this key that may start at `now`, after this change.
    pub(crate) fn free_of_key(&self, key: &str, change: Change, now: Timestamp) -> u64 {
        let running = self.running_by_key.get(key);
        let starts = self.key_starts.get(key);
        free(self.limits.key(key), running, starts, change, now)
    }

    /// Whether a task that waits could start with this room. The lanes must have been advanced to its
    /// time.
    pub(crate) fn can_start(&self, room: &Capacity) -> bool {
        let has_room = |key: &str| room.of_key(self, key) > 0;
        let mut processors = self.lanes.processors();
        !room.closed
            && processors.any(|(processor, lanes)| {
                room.of_processor(self, processor) > 0
                    && (lanes.plain_may_be_due(room.now)
                        || lanes.due().any(|(_, key)| has_room(key))
                        || lanes.unknown().any(|(_, key)| has_room(key)))
            })
    }

    /// An attempt has started.
    pub(crate) fn add_running(&mut self, task: &ClaimedTask, now: Timestamp) {
        self.remember_start(&task.processor, task.concurrency_key.as_deref(), now);
        self.recall_running(task, now);
    }

    /// An attempt has been running since then. Its start is not counted for the rates.
    pub(crate) fn recall_running(&mut self, task: &ClaimedTask, since: Timestamp) {
        // Another program can make a running row wait again; its place goes to the new attempt.
        if let Some(earlier) = self.running.get(&task.attempt.seq).map(|slot| slot.attempt) {
            self.remove_running(&earlier);
        }
        let home = match task.terms.lease {
            // Whatever its processor is by now.
            Some(Lease { length, .. }) => Home::Elsewhere { lease: length },
            None => self.limits.home(&task.processor).unwrap_or(Home::Here),
        };
        let bytes = task.content.len() + TASK_BYTES;
        add_one(&mut self.running_by_processor, &task.processor);
        if let Some(key) = &task.concurrency_key {
            add_one(&mut self.running_by_key, key);
        }
        let slot = Slot {
            attempt: task.attempt,
            processor: task.processor.clone(),
            key: task.concurrency_key.clone(),
            home,
            bytes,
            since,
        };
        self.running_here += slot.places();
        self.running_bytes.add(home, bytes);
        self.running.insert(task.attempt.seq, slot);
    }

    /// The clock was set: everything is as long ago as it was.
    pub(crate) fn shift(&mut self, seconds: f64) {
        for slot in self.running.values_mut() {
            slot.since = slot.since.shifted(seconds);
        }
        let starts = self.processor_starts.values_mut();
        for starts in starts.chain(self.key_starts.values_mut()) {
            starts.shift(seconds);
        }
        self.lanes.forget_times();
    }

    /// No start is known any more.
    pub(crate) fn forget_starts(&mut self) {
        self.processor_starts.clear();
        self.key_starts.clear();
    }

    /// A start, for the rates.
    pub(crate) fn remember_start(&mut self, processor: &str, key: Option<&str>, at: Timestamp) {
        if let Some(rate) = self.limits.processor(processor).rate {
            let starts = self.processor_starts.entry(processor.to_owned());
            starts.or_default().push(at, rate);
        }
        if let Some(key) = key {
            self.add_key_start(key, at);
        }
    }

    fn add_key_start(&mut self, key: &str, at: Timestamp) {
        let limits = Arc::clone(&self.limits);
        let Some(rate) = limits.key(key).rate else {
            return;
        };
        let is_new = !self.key_starts.contains_key(key);
        if is_new && self.key_starts.len().is_power_of_two() {
            // Keys come and go; those that have all their tokens are as good as never seen.
            self.key_starts
                .retain(|key, starts| match limits.key(key).rate {
                    Some(rate) => !starts.is_idle(at, rate),
                    None => false,
                });
        }
        self.key_starts
            .entry(key.to_owned())
            .or_default()
            .push(at, rate);
    }

    /// Whether the attempt holds a place.
    pub(crate) fn is_running(&self, attempt: &Attempt) -> bool {
        self.running
            .get(&attempt.seq)
            .is_some_and(|slot| slot.attempt == *attempt)
    }

    /// Frees the attempt's place, if it has one.
    pub(crate) fn remove_running(&mut self, attempt: &Attempt) -> Option<Freed> {
        if !self.is_running(attempt) {
            return None;
        }
        let slot = self.running.remove(&attempt.seq)?;
        self.running_here -= slot.places();
        self.running_bytes.take(slot.home, slot.bytes);
        take_one(&mut self.running_by_processor, &slot.processor);
        if let Some(key) = &slot.key {
            take_one(&mut self.running_by_key, key);
            self.lanes.wake(key);
        }
        Some(Freed {
            processor: slot.processor,
            since: slot.since,
        })
    }

    /// The lanes whose keys get places back when these attempts end may have something to start.
    pub(crate) fn wake_lanes<'a>(&mut self, ending: impl Iterator<Item = &'a Attempt>) {
        for slot in ending.filter_map(|attempt| self.running.get(&attempt.seq)) {
            if let Some(key) = &slot.key {
                self.lanes.wake(key);
            }
        }
    }

    /// The lane from which a running attempt came.
    pub(crate) fn lane_of(&self, attempt: &Attempt) -> Option<LaneName<'_>> {
        self.running.get(&attempt.seq).map(Slot::lane)
    }
}

fn free(
    rule: Limit,
    running: Option<&u64>,
    starts: Option<&SlidingWindow>,
    change: Change,
    now: Timestamp,
) -> u64 {
    let places = rule.concurrency.map_or(u64::MAX, |limit| {
        let running = running.copied().unwrap_or(0);
        limit.saturating_sub(running.saturating_sub(change.ended) + change.taken)
    });
    let tokens = rule.rate.map_or(u64::MAX, |rate| {
        let free = starts.map_or(u64::from(rate.starts), |starts| starts.free(now, rate));
        free.saturating_sub(change.taken)
    });
    places.min(tokens)
}

fn add_one(counts: &mut HashMap<String, u64>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => drop(counts.insert(name.to_owned(), 1)),
    }
}

fn take_one(counts: &mut HashMap<String, u64>, name: &str) {
    if let Some(count) = counts.get_mut(name) {
        *count -= 1;
        if *count == 0 {
            counts.remove(name);
        }
    }
}
