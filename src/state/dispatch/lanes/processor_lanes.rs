//! The lanes of one processor. Those with a concurrency key are indexed by their heads. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::models::Timestamp;
use crate::state::dispatch::lanes::head::{LaneHead, LanePosition};
use crate::state::dispatch::lanes::prefetch::Prefetch;

/// One lane: how many tasks it holds and what is known of the first.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) count: u64,
    pub(crate) head: LaneHead,
    /// An upper bound of the priorities of its tasks.
    pub(crate) urgency: i64,
}

/// The lanes of one processor.
#[derive(Debug, Default)]
pub(crate) struct ProcessorLanes {
    pub(crate) count: u64,
    /// The lane of tasks without a key.
    pub(crate) unkeyed: Option<Lane>,
    /// The next tasks of the lane without a key.
    pub(crate) prefetch: Prefetch,
    pub(crate) keyed: HashMap<Arc<str>, Lane>,
    /// Keys of lanes with an unknown head, those with the highest possible priority first.
    pub(crate) unknown: BTreeSet<(Reverse<i64>, Arc<str>)>,
    /// Keys of lanes in which a task is due, in the order in which these start.
    pub(crate) due: BTreeSet<(LanePosition, Arc<str>)>,
    /// Keys of lanes by the time from which their heads are unknown.
    pub(crate) later: BTreeSet<(Timestamp, Arc<str>)>,
}

impl ProcessorLanes {
    /// Returns false only if it is known that no task without a key is due at `now`.
    pub(crate) fn unkeyed_may_be_due(&self, now: Timestamp) -> bool {
        self.unkeyed
            .as_ref()
            .is_some_and(|lane| lane.head.may_be_due(now))
    }

    /// Iterates over the keys of lanes with an unknown head, each with an upper bound of its priorities, the
    /// highest bound first.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (i64, &str)> {
        self.unknown
            .iter()
            .map(|(Reverse(urgency), key)| (*urgency, &**key))
    }

    /// Iterates over the keys of lanes in which a task is due, each with that task's position, in order.
    pub(crate) fn due(&self) -> impl Iterator<Item = (LanePosition, &str)> {
        self.due.iter().map(|(position, key)| (*position, &**key))
    }

    /// Adds tasks to a lane.
    pub(crate) fn merge(&mut self, key: Option<&str>, added: Lane) {
        self.count += added.count;
        match key {
            None => match &mut self.unkeyed {
                Some(lane) => lane.merge(added),
                None => self.unkeyed = Some(added),
            },
            Some(key) if self.keyed.contains_key(key) => self.change(key, |lane| lane.merge(added)),
            Some(key) => {
                let key = Arc::from(key);
                self.index(&key, &added);
                self.keyed.insert(key, added);
            }
        }
    }

    /// Removes up to `count` tasks from a lane and returns how many it held of these.
    pub(crate) fn remove(&mut self, key: Option<&str>, count: u64) -> u64 {
        let mut removed = 0;
        let mut subtract = |lane: &mut Lane| {
            removed = count.min(lane.count);
            lane.count -= removed;
            lane.head = LaneHead::Unknown;
        };
        match key {
            None => {
                self.unkeyed.iter_mut().for_each(subtract);
                self.unkeyed.take_if(|lane| lane.count == 0);
            }
            Some(key) => self.change(key, &mut subtract),
        }
        removed
    }

    /// Changes a lane with a key, and drops it if it is empty afterwards.
    pub(crate) fn change(&mut self, key: &str, change: impl FnOnce(&mut Lane)) {
        let Some((key, mut lane)) = self.keyed.remove_entry(key) else {
            return;
        };
        self.unindex(&key, &lane);
        change(&mut lane);
        if lane.count > 0 {
            self.index(&key, &lane);
            self.keyed.insert(key, lane);
        }
    }

    fn index(&mut self, key: &Arc<str>, lane: &Lane) {
        let key = || Arc::clone(key);
        match lane.head {
            LaneHead::Unknown => drop(self.unknown.insert((Reverse(lane.urgency), key()))),
            LaneHead::Known { due, next } => {
                self.due.extend(due.map(|position| (position, key())));
                self.later.extend(next.map(|time| (time, key())));
            }
        }
    }

    fn unindex(&mut self, key: &Arc<str>, lane: &Lane) {
        let key = || Arc::clone(key);
        match lane.head {
            LaneHead::Unknown => drop(self.unknown.remove(&(Reverse(lane.urgency), key()))),
            LaneHead::Known { due, next } => {
                due.map(|position| self.due.remove(&(position, key())));
                next.map(|time| self.later.remove(&(time, key())));
            }
        }
    }
}

impl Lane {
    fn merge(&mut self, added: Lane) {
        self.count += added.count;
        self.head = self.head.merge(added.head);
        self.urgency = self.urgency.max(added.urgency);
    }
}
