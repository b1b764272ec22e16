//! Capacity that is still free, counted down while one transaction is put together. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use crate::models::{Lease, LeaseOrigin, OfferId, Timestamp};
use crate::state::dispatch::lanes::LaneName;
use crate::state::dispatch::limits::{Home, Limits};
use crate::state::dispatch::queue_state::QueueState;

/// What a task in the running set costs in memory besides its content, roughly.
pub(crate) const TASK_BYTES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Capacity {
    pub(crate) limits: Arc<Limits>,
    /// Nothing starts at all.
    pub(crate) closed: bool,
    pub(crate) tasks: u64,
    pub(crate) bytes: Bytes,
    pub(crate) now: Timestamp,
    /// What the transaction changes of the processors, and of the keys, that the queue state knows.
    pub(crate) processors: HashMap<String, Change>,
    pub(crate) keys: HashMap<String, Change>,
    /// Outside workers that wait for tasks, the first come first.
    pub(crate) offers: Vec<Offer>,
    /// Whether the Hive takes tasks.
    pub(crate) hive: bool,
}

/// Memory of tasks by where they run, so that those of one home do not keep out those of another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) here: usize,
    pub(crate) hive: usize,
}

impl Bytes {
    pub(crate) fn add(&mut self, home: Home, bytes: usize) {
        if let Some(own) = self.of(home) {
            *own += bytes;
        }
    }

    /// Takes so many away; all, if there are fewer.
    pub(crate) fn take(&mut self, home: Home, bytes: usize) {
        if let Some(own) = self.of(home) {
            *own = own.saturating_sub(bytes);
        }
    }

    /// What is left for each home if each may have `limit`.
    pub(crate) fn left_of(self, limit: usize) -> Self {
        Self {
            here: limit.saturating_sub(self.here),
            hive: limit.saturating_sub(self.hive),
        }
    }

    /// Outside workers hold their tasks themselves.
    fn of(&mut self, home: Home) -> Option<&mut usize> {
        match home {
            Home::Here => Some(&mut self.here),
            Home::Hive => Some(&mut self.hive),
            Home::Elsewhere { .. } => None,
        }
    }
}

/// What a transaction changes of a processor or a key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Change {
    /// Tasks that end, and so give their places back first.
    pub(crate) ended: u64,
    /// Tasks that start.
    pub(crate) taken: u64,
}

/// An outside worker that waits for tasks.
#[derive(Clone, Debug)]
pub(crate) struct Offer {
    pub(crate) id: OfferId,
    pub(crate) processors: Arc<[String]>,
    /// Tasks that it still takes.
    pub(crate) left: u64,
}

/// A place that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    /// For a task that an outside worker runs.
    pub(crate) lease: Option<Lease>,
}

impl Capacity {
    /// Tasks of this processor that may still start, as far as their keys allow it.
    pub(crate) fn of_processor(&self, queue_state: &QueueState, processor: &str) -> u64 {
        if self.closed {
            return 0;
        }
        let change = self.processors.get(processor).copied();
        let own = queue_state.free_of_processor(processor, change.unwrap_or_default(), self.now);
        own.min(self.of_place(processor))
    }

    /// Tasks of this key that may still start, as far as their processors allow it.
    pub(crate) fn of_key(&self, queue_state: &QueueState, key: &str) -> u64 {
        let change = self.keys.get(key).copied();
        queue_state.free_of_key(key, change.unwrap_or_default(), self.now)
    }

    /// A running task of this lane ends.
    pub(crate) fn give_back(&mut self, lane: LaneName<'_>) {
        change(&mut self.processors, lane.processor).ended += 1;
        if let Some(key) = lane.key {
            change(&mut self.keys, key).ended += 1;
        }
    }

    /// Takes a place for a task of this lane with a content of `bytes`, if there is one.
    ///
    /// The last free byte admits a task of any size, so that the largest content can run at all.
    pub(crate) fn take(
        &mut self,
        queue_state: &QueueState,
        lane: LaneName<'_>,
        bytes: usize,
    ) -> Option<Slot> {
        let is_full = lane
            .key
            .is_some_and(|key| self.of_key(queue_state, key) == 0);
        if is_full || self.of_processor(queue_state, lane.processor) == 0 {
            return None;
        }
        change(&mut self.processors, lane.processor).taken += 1;
        if let Some(key) = lane.key {
            change(&mut self.keys, key).taken += 1;
        }
        let home = self.limits.home(lane.processor)?;
        self.bytes.take(home, bytes + TASK_BYTES);
        match home {
            Home::Here => {
                self.tasks -= 1;
                Some(Slot { lease: None })
            }
            Home::Elsewhere { lease: length } => {
                let offer = self.offers_for(lane.processor).next()?;
                offer.left -= 1;
                let origin = LeaseOrigin::Offer(offer.id);
                let lease = Some(Lease { length, origin });
                Some(Slot { lease })
            }
            Home::Hive => Some(Slot { lease: None }),
        }
    }

    /// Places in the queue, with outside workers, or in the Hive, where only memory ends them.
    fn of_place(&self, processor: &str) -> u64 {
        match self.limits.home(processor) {
            None => 0,
            Some(Home::Here) if self.bytes.here == 0 => 0,
            Some(Home::Here) => self.tasks,
            Some(Home::Elsewhere { .. }) => {
                let takes = |offer: &&Offer| offer.processors.iter().any(|name| name == processor);
                let offers = self.offers.iter().filter(takes);
                offers.map(|offer| offer.left).sum()
            }
            Some(Home::Hive) if self.hive && self.bytes.hive > 0 => u64::MAX,
            Some(Home::Hive) => 0,
        }
    }

    fn offers_for<'a>(&'a mut self, processor: &'a str) -> impl Iterator<Item = &'a mut Offer> {
        let takes = move |offer: &&mut Offer| {
            offer.left > 0 && offer.processors.iter().any(|name| name == processor)
        };
        self.offers.iter_mut().filter(takes)
    }
}

fn change<'a>(changes: &'a mut HashMap<String, Change>, name: &str) -> &'a mut Change {
    if !changes.contains_key(name) {
        changes.insert(name.to_owned(), Change::default());
    }
    changes.get_mut(name).expect("it is there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Attempt, ClaimedTask, HiveLink, Terms};

    const FAR: LaneName<'_> = LaneName {
        processor: "far",
        key: None,
    };
    const NEAR: LaneName<'_> = LaneName {
        processor: "near",
        key: None,
    };

    /// One place in the queue, and the Hive.
    fn queue_state(link: HiveLink) -> QueueState {
        let homes = [("far", Home::Hive), ("near", Home::Here)];
        let limits = Limits {
            running: Some(1),
            running_bytes: 1 << 20,
            homes: homes.map(|(name, home)| (name.to_owned(), home)).into(),
            ..Limits::default()
        };
        let mut queue_state = QueueState::new(limits, None);
        queue_state.claiming = true;
        queue_state.hive = link;
        queue_state
    }

    fn room(queue_state: &QueueState) -> Capacity {
        queue_state.room(std::iter::empty(), Timestamp::now())
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
    fn there_is_room_in_the_hive_while_it_is_connected() {
        for link in [HiveLink::Off, HiveLink::at_start(true)] {
            let queue_state = queue_state(link);
            let mut room = room(&queue_state);
            assert_eq!(room.of_processor(&queue_state, "far"), 0);
            assert_eq!(room.take(&queue_state, FAR, 1), None);
            assert_eq!(room.of_processor(&queue_state, "near"), 1);
        }
        let queue_state = queue_state(HiveLink::Connected);
        assert_eq!(
            room(&queue_state).of_processor(&queue_state, "far"),
            u64::MAX
        );
    }

    #[test]
    fn what_the_hive_runs_takes_no_place_of_the_queue() {
        let mut queue_state = queue_state(HiveLink::Connected);
        let mut planned = room(&queue_state);
        for _ in 0..3 {
            let slot = planned.take(&queue_state, FAR, 1);
            assert_eq!(slot, Some(Slot { lease: None }));
        }
        assert!(planned.take(&queue_state, NEAR, 1).is_some());
        assert_eq!(planned.take(&queue_state, NEAR, 1), None);
        assert!(planned.take(&queue_state, FAR, 2 << 20).is_some());
        // The memory that its contents may take is used up; that of the queue's own is not.
        assert_eq!(planned.take(&queue_state, FAR, 1), None);

        let far = start(&mut queue_state, 1, "far");
        assert_eq!(room(&queue_state).of_processor(&queue_state, "near"), 1);
        let near = start(&mut queue_state, 2, "near");
        assert_eq!(room(&queue_state).of_processor(&queue_state, "near"), 0);
        assert_eq!(queue_state.status().active, 2);
        queue_state.remove_running(&far);
        assert_eq!(room(&queue_state).of_processor(&queue_state, "near"), 0);
        queue_state.remove_running(&near);
        let room = room(&queue_state);
        let all = Bytes::default().left_of(1 << 20);
        assert_eq!((room.tasks, room.bytes), (1, all));
    }

    #[test]
    fn the_hive_keeps_to_the_limits_of_a_processor_and_to_a_pause() {
        let mut queue_state = queue_state(HiveLink::Connected);
        let mut limits = queue_state.limits().clone();
        let rule = crate::state::dispatch::limits::Limit {
            concurrency: Some(2),
            rate: None,
        };
        limits.processors.insert("far".to_owned(), rule);
        queue_state.set_limits(limits);
        start(&mut queue_state, 1, "far");
        assert_eq!(room(&queue_state).of_processor(&queue_state, "far"), 1);
        queue_state.pause = Some(crate::models::Pause {
            since: Timestamp::now(),
            until: None,
            by: None,
            reason: None,
            emergency_stop: false,
            asked: None,
        });
        assert_eq!(room(&queue_state).of_processor(&queue_state, "far"), 0);
    }
}
