//! What the Writer knows of the queue without asking the database: who waits, who runs, what may
//! start. Pure.
//!
//! Running tasks are counted from the Writer's own claims and outcomes, never from rows. Waiting
//! tasks are counted by processor; a change of the database by another program makes the Writer
//! count them again. The ledger is changed only after a commit.

use std::collections::HashMap;

use crate::models::{Attempt, ClaimedTask, Pause, QueueStatus};

/// What a task in the running set costs in memory besides its content, roughly.
const TASK_BYTES: usize = 1024;

/// How much may run at once.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Tasks; `None` when limits are off.
    pub running: Option<u64>,
    /// Bytes of contents: the bound that is left when limits are off.
    pub running_bytes: usize,
    /// Tasks of one processor, for those that have a limit.
    pub by_processor: HashMap<String, u64>,
}

/// The queue as the Writer knows it.
#[derive(Debug)]
pub(super) struct Ledger {
    pub limits: Limits,
    pub pause: Option<Pause>,
    /// Whether somebody takes claimed tasks.
    pub claiming: bool,
    pending: HashMap<String, u64>,
    running: HashMap<i64, Slot>,
    running_by_processor: HashMap<String, u64>,
    running_bytes: usize,
}

#[derive(Debug)]
struct Slot {
    attempt: Attempt,
    processor: String,
    bytes: usize,
}

/// Room that is still free, counted down while one transaction is put together.
#[derive(Debug)]
pub(super) struct Room {
    tasks: u64,
    bytes: usize,
    by_processor: HashMap<String, u64>,
}

impl Ledger {
    pub fn new(limits: Limits, pause: Option<Pause>) -> Self {
        Self {
            limits,
            pause,
            claiming: false,
            pending: HashMap::new(),
            running: HashMap::new(),
            running_by_processor: HashMap::new(),
            running_bytes: 0,
        }
    }

    pub fn status(&self) -> QueueStatus {
        let running = self.running.len() as u64;
        QueueStatus {
            paused: self.pause.is_some(),
            pending: self.pending_total(),
            active: running,
            processing: running,
            limit: self.limits.running,
        }
    }

    pub fn pending_total(&self) -> u64 {
        self.pending.values().sum()
    }

    pub fn running_total(&self) -> u64 {
        self.running.len() as u64
    }

    /// What may start now, if the attempts in `ending` give their places back first.
    pub fn room<'a>(&self, ending: impl Iterator<Item = &'a Attempt>) -> Room {
        let mut tasks = self.running.len() as u64;
        let mut bytes = self.running_bytes;
        let mut by_processor = self.running_by_processor.clone();
        for slot in ending.filter_map(|attempt| self.running.get(&attempt.seq)) {
            tasks -= 1;
            bytes -= slot.bytes;
            if let Some(count) = by_processor.get_mut(&slot.processor) {
                *count -= 1;
            }
        }
        let open = self.claiming && self.pause.is_none();
        let limit = if open {
            self.limits.running.unwrap_or(u64::MAX)
        } else {
            0
        };
        let free = |(name, limit): (&String, &u64)| {
            let running = by_processor.get(name).copied().unwrap_or(0);
            (name.clone(), limit.saturating_sub(running))
        };
        Room {
            tasks: limit.saturating_sub(tasks),
            bytes: self.limits.running_bytes.saturating_sub(bytes),
            by_processor: self.limits.by_processor.iter().map(free).collect(),
        }
    }

    /// The processors that have waiting tasks and, in `room`, a free place.
    pub fn startable<'a>(&'a self, room: &'a Room) -> impl Iterator<Item = (&'a str, u64)> {
        self.pending
            .iter()
            .filter(|(_, count)| **count > 0)
            .map(|(name, _)| (name.as_str(), room.of_processor(name)))
            .filter(|(_, free)| *free > 0)
    }

    pub fn set_pending(&mut self, pending: HashMap<String, u64>) {
        self.pending = pending;
    }

    pub fn add_pending(&mut self, processor: &str, count: u64) {
        match self.pending.get_mut(processor) {
            Some(pending) => *pending += count,
            None => drop(self.pending.insert(processor.to_owned(), count)),
        }
    }

    pub fn remove_pending(&mut self, processor: &str, count: u64) {
        if let Some(pending) = self.pending.get_mut(processor) {
            *pending = pending.saturating_sub(count);
            if *pending == 0 {
                self.pending.remove(processor);
            }
        }
    }

    pub fn add_running(&mut self, task: &ClaimedTask) {
        // Another program can make a running row wait again; its place goes to the new attempt.
        if let Some(earlier) = self.running.get(&task.attempt.seq).map(|slot| slot.attempt) {
            self.remove_running(&earlier);
        }
        let bytes = task.content.len() + TASK_BYTES;
        self.running_bytes += bytes;
        match self.running_by_processor.get_mut(&task.processor) {
            Some(count) => *count += 1,
            None => drop(self.running_by_processor.insert(task.processor.clone(), 1)),
        }
        let slot = Slot {
            attempt: task.attempt,
            processor: task.processor.clone(),
            bytes,
        };
        self.running.insert(task.attempt.seq, slot);
    }

    /// Whether the attempt holds a place.
    pub fn is_running(&self, attempt: &Attempt) -> bool {
        self.running
            .get(&attempt.seq)
            .is_some_and(|slot| slot.attempt == *attempt)
    }

    /// Frees the attempt's place; its processor's name, if it had one.
    pub fn remove_running(&mut self, attempt: &Attempt) -> Option<String> {
        if !self.is_running(attempt) {
            return None;
        }
        let slot = self.running.remove(&attempt.seq)?;
        self.running_bytes -= slot.bytes;
        if let Some(count) = self.running_by_processor.get_mut(&slot.processor) {
            *count -= 1;
        }
        Some(slot.processor)
    }
}

impl Room {
    /// Tasks that may still start.
    pub fn tasks(&self) -> u64 {
        if self.bytes == 0 { 0 } else { self.tasks }
    }

    fn of_processor(&self, name: &str) -> u64 {
        let own = self.by_processor.get(name).copied().unwrap_or(u64::MAX);
        own.min(self.tasks())
    }

    /// Takes a place for a task of `processor` with a content of `bytes`, if there is one.
    ///
    /// The last free byte admits a task of any size, so that the largest content can run at all.
    pub fn take(&mut self, processor: &str, bytes: usize) -> bool {
        if self.of_processor(processor) == 0 {
            return false;
        }
        self.tasks -= 1;
        self.bytes = self.bytes.saturating_sub(bytes + TASK_BYTES);
        if let Some(free) = self.by_processor.get_mut(processor) {
            *free -= 1;
        }
        true
    }
}
