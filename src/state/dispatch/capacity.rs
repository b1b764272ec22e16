//! The capacity that is left for one transaction, counted down as the Writer chooses what starts. Pure.
//!
//! The Writer takes a [`Capacity`] from the queue state when it plans a transaction. Attempts that end in the
//! transaction release their slots first; each task that is to start reserves one. The queue state itself
//! changes only after the commit.

use std::collections::HashMap;
use std::sync::Arc;

use crate::models::{Attempt, HiveLink, Lease, LeaseOrigin, Timestamp};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::limits::{ExecutionSite, Limit, Limits};
use crate::state::dispatch::memory_use::{MemoryUse, TASK_OVERHEAD_BYTES};
use crate::state::dispatch::poll_slot::PollSlot;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::dispatch::sliding_window::SlidingWindow;

/// What may still start in one transaction.
#[derive(Debug)]
pub(crate) struct Capacity {
    limits: Arc<Limits>,
    /// Nothing starts: the queue is paused or the service takes no tasks.
    pub(crate) halted: bool,
    /// Free slots of the queue.
    pub(crate) slots: u64,
    /// Memory that is left at each execution site.
    pub(crate) memory: MemoryUse,
    now: Timestamp,
    /// What the transaction changes, by processor and by key.
    processors: HashMap<String, CapacityChange>,
    keys: HashMap<String, CapacityChange>,
    /// Claim requests of outside workers, the oldest first.
    poll_slots: Vec<PollSlot>,
    /// Whether the Hive takes tasks.
    hive: bool,
}

/// How one transaction changes the running tasks of a processor or a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CapacityChange {
    /// Tasks that end. Their slots are free for those that start.
    pub(crate) ended: u64,
    /// Tasks that start.
    pub(crate) started: u64,
}

/// A slot that a task has reserved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReservedSlot {
    /// Set for a task that an outside worker runs.
    pub(crate) lease: Option<Lease>,
}

impl QueueState {
    /// Returns what may start at `now`, if the attempts in `ending` release their slots first.
    ///
    /// The cost grows with the number of ending attempts, not with the number of processors or keys.
    pub(crate) fn capacity<'a>(
        &self,
        ending: impl Iterator<Item = &'a Attempt>,
        now: Timestamp,
    ) -> Capacity {
        let mut local_slots = self.running.local_slots;
        let mut memory = self.running.memory;
        let mut capacity = Capacity {
            limits: Arc::clone(&self.limits),
            halted: !self.claiming || self.restoring || self.pause.is_some(),
            slots: 0,
            memory: MemoryUse::default(),
            now,
            processors: HashMap::new(),
            keys: HashMap::new(),
            poll_slots: self.poll_slots.clone(),
            hive: self.hive == HiveLink::Connected,
        };
        for running in ending.filter_map(|attempt| self.running.get(attempt.seq)) {
            local_slots -= running.local_slots();
            memory.subtract(running.site, running.bytes);
            capacity.release(running.lane());
        }
        let limit = self.limits.running.unwrap_or(u64::MAX);
        capacity.slots = limit.saturating_sub(local_slots);
        capacity.memory = memory.left_of(self.limits.running_bytes);
        capacity
    }

    /// Returns how many tasks of this processor may start at `now`, after `change`.
    fn slots_for_processor(&self, name: &str, change: CapacityChange, now: Timestamp) -> u64 {
        if self.processor_pause(name, now).is_some() {
            return 0;
        }
        let running = self.running.count_of_processor(name);
        let starts = self.starts.of_processor(name);
        slots_left(self.limits.processor(name), running, starts, change, now)
    }

    /// Returns how many tasks of this key may start at `now`, after `change`.
    pub(crate) fn slots_for_key(&self, key: &str, change: CapacityChange, now: Timestamp) -> u64 {
        let running = self.running.count_of_key(key);
        let starts = self.starts.of_key(key);
        slots_left(self.limits.key(key), running, starts, change, now)
    }
}

impl Capacity {
    /// Returns how many tasks of this processor may still start, as far as their keys allow it.
    pub(crate) fn slots_for_processor(&self, queue_state: &QueueState, processor: &str) -> u64 {
        if self.halted {
            return 0;
        }
        let change = self.processors.get(processor).copied();
        let own = queue_state.slots_for_processor(processor, change.unwrap_or_default(), self.now);
        own.min(self.slots_at_site(processor))
    }

    /// Returns how many tasks of this key may still start, as far as their processors allow it.
    pub(crate) fn slots_for_key(&self, queue_state: &QueueState, key: &str) -> u64 {
        let change = self.keys.get(key).copied();
        queue_state.slots_for_key(key, change.unwrap_or_default(), self.now)
    }

    /// Returns whether some pending task could start. The caller must have advanced the lanes to `now`.
    pub(crate) fn can_start_pending(&self, queue_state: &QueueState) -> bool {
        let has_slot = |key: &str| self.slots_for_key(queue_state, key) > 0;
        let mut processors = queue_state.lanes.processors();
        !self.halted
            && processors.any(|(processor, lanes)| {
                self.slots_for_processor(queue_state, processor) > 0
                    && (lanes.unkeyed_may_be_due(self.now)
                        || lanes.due().any(|(_, key)| has_slot(key))
                        || lanes.unknown().any(|(_, key)| has_slot(key)))
            })
    }

    /// Counts the end of a running task of this lane.
    fn release(&mut self, lane: LaneName<'_>) {
        change_of(&mut self.processors, lane.processor).ended += 1;
        if let Some(key) = lane.key {
            change_of(&mut self.keys, key).ended += 1;
        }
    }

    /// Reserves a slot for a task of this lane with a content of `bytes`, if one is free.
    ///
    /// The last free byte admits a task of any size, so that the largest content can run at all.
    pub(crate) fn reserve(
        &mut self,
        queue_state: &QueueState,
        lane: LaneName<'_>,
        bytes: usize,
    ) -> Option<ReservedSlot> {
        let is_full = lane
            .key
            .is_some_and(|key| self.slots_for_key(queue_state, key) == 0);
        if is_full || self.slots_for_processor(queue_state, lane.processor) == 0 {
            return None;
        }
        change_of(&mut self.processors, lane.processor).started += 1;
        if let Some(key) = lane.key {
            change_of(&mut self.keys, key).started += 1;
        }
        let site = self.limits.site(lane.processor)?;
        self.memory.subtract(site, bytes + TASK_OVERHEAD_BYTES);
        let lease = match site {
            ExecutionSite::Local => {
                self.slots -= 1;
                None
            }
            ExecutionSite::Hive => None,
            ExecutionSite::OutsideWorker { lease: length } => {
                let mut polls = self.poll_slots.iter_mut();
                let poll = polls.find(|poll| poll.left > 0 && poll.serves(lane.processor))?;
                poll.left -= 1;
                let origin = LeaseOrigin::Offer(poll.id);
                Some(Lease { length, origin })
            }
        };
        Some(ReservedSlot { lease })
    }

    /// Returns the free slots where this processor's tasks run. The Hive is bounded by memory alone.
    fn slots_at_site(&self, processor: &str) -> u64 {
        match self.limits.site(processor) {
            None => 0,
            Some(ExecutionSite::Local) if self.memory.local == 0 => 0,
            Some(ExecutionSite::Local) => self.slots,
            Some(ExecutionSite::OutsideWorker { .. }) => {
                let polls = self.poll_slots.iter();
                let polls = polls.filter(|poll| poll.serves(processor));
                polls.map(|poll| poll.left).sum()
            }
            Some(ExecutionSite::Hive) if self.hive && self.memory.hive > 0 => u64::MAX,
            Some(ExecutionSite::Hive) => 0,
        }
    }
}

/// Returns how many starts a limit still allows: by its concurrency and by its rate.
fn slots_left(
    limit: Limit,
    running: u64,
    starts: Option<&SlidingWindow>,
    change: CapacityChange,
    now: Timestamp,
) -> u64 {
    let by_concurrency = limit.concurrency.map_or(u64::MAX, |most| {
        most.saturating_sub(running.saturating_sub(change.ended) + change.started)
    });
    let by_rate = limit.rate.map_or(u64::MAX, |rate| {
        let left = starts.map_or(u64::from(rate.starts), |starts| starts.available(now, rate));
        left.saturating_sub(change.started)
    });
    by_concurrency.min(by_rate)
}

fn change_of<'a>(
    changes: &'a mut HashMap<String, CapacityChange>,
    name: &str,
) -> &'a mut CapacityChange {
    if !changes.contains_key(name) {
        changes.insert(name.to_owned(), CapacityChange::default());
    }
    changes.get_mut(name).expect("the entry was just made")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ClaimedTask, Terms};

    const FAR: LaneName<'_> = LaneName {
        processor: "far",
        key: None,
    };
    const NEAR: LaneName<'_> = LaneName {
        processor: "near",
        key: None,
    };

    /// A queue with one slot, and the Hive.
    fn queue_state(link: HiveLink) -> QueueState {
        let sites = [("far", ExecutionSite::Hive), ("near", ExecutionSite::Local)];
        let limits = Limits {
            running: Some(1),
            running_bytes: 1 << 20,
            sites: sites.map(|(name, site)| (name.to_owned(), site)).into(),
            ..Limits::default()
        };
        let mut queue_state = QueueState::new(limits, None);
        queue_state.claiming = true;
        queue_state.hive = link;
        queue_state
    }

    fn capacity(queue_state: &QueueState) -> Capacity {
        queue_state.capacity(std::iter::empty(), Timestamp::now())
    }

    fn start(queue_state: &mut QueueState, seq: i64, processor: &str) -> Attempt {
        let attempt = Attempt {
            seq,
            task_id: uuid::Uuid::now_v7(),
            number: 1,
        };
        let terms = Terms {
            max_attempts: 1,
            uncounted: 0,
            timeout: None,
            has_upstream: false,
            lease: None,
        };
        let task = ClaimedTask {
            attempt,
            content: "x".repeat(1 << 10),
            processor: processor.to_owned(),
            concurrency_key: None,
            terms,
        };
        queue_state.add_running(&task, Timestamp::now());
        attempt
    }

    #[test]
    fn the_hive_takes_tasks_only_while_it_is_connected() {
        for link in [HiveLink::Off, HiveLink::at_start(true)] {
            let queue_state = queue_state(link);
            let mut capacity = capacity(&queue_state);
            assert_eq!(capacity.slots_for_processor(&queue_state, "far"), 0);
            assert_eq!(capacity.reserve(&queue_state, FAR, 1), None);
            assert_eq!(capacity.slots_for_processor(&queue_state, "near"), 1);
        }
        let queue_state = queue_state(HiveLink::Connected);
        assert_eq!(
            capacity(&queue_state).slots_for_processor(&queue_state, "far"),
            u64::MAX
        );
    }

    #[test]
    fn a_task_in_the_hive_uses_no_slot_of_the_queue() {
        let mut queue_state = queue_state(HiveLink::Connected);
        let mut planned = capacity(&queue_state);
        for _ in 0..3 {
            let slot = planned.reserve(&queue_state, FAR, 1);
            assert_eq!(slot, Some(ReservedSlot { lease: None }));
        }
        assert!(planned.reserve(&queue_state, NEAR, 1).is_some());
        assert_eq!(planned.reserve(&queue_state, NEAR, 1), None);
        assert!(planned.reserve(&queue_state, FAR, 2 << 20).is_some());
        // The Hive's memory is used up; that of local tasks is not.
        assert_eq!(planned.reserve(&queue_state, FAR, 1), None);

        let far = start(&mut queue_state, 1, "far");
        assert_eq!(
            capacity(&queue_state).slots_for_processor(&queue_state, "near"),
            1
        );
        let near = start(&mut queue_state, 2, "near");
        assert_eq!(
            capacity(&queue_state).slots_for_processor(&queue_state, "near"),
            0
        );
        assert_eq!(queue_state.status().active, 2);
        queue_state.remove_running(&far);
        assert_eq!(
            capacity(&queue_state).slots_for_processor(&queue_state, "near"),
            0
        );
        queue_state.remove_running(&near);
        let capacity = capacity(&queue_state);
        let all = MemoryUse::default().left_of(1 << 20);
        assert_eq!((capacity.slots, capacity.memory), (1, all));
    }

    #[test]
    fn limits_and_pauses_hold_for_the_hive_too() {
        let mut queue_state = queue_state(HiveLink::Connected);
        let mut limits = queue_state.limits().clone();
        let limit = Limit {
            concurrency: Some(2),
            rate: None,
        };
        limits.processors.insert("far".to_owned(), limit);
        queue_state.set_limits(limits);
        start(&mut queue_state, 1, "far");
        assert_eq!(
            capacity(&queue_state).slots_for_processor(&queue_state, "far"),
            1
        );
        queue_state.pause = Some(crate::models::Pause {
            since: Timestamp::now(),
            until: None,
            by: None,
            reason: None,
            emergency_stop: false,
            asked: None,
        });
        assert_eq!(
            capacity(&queue_state).slots_for_processor(&queue_state, "far"),
            0
        );
    }
}
