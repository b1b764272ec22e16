//! The pending tasks by lane, as the Writer knows them. Pure.
//!
//! A lane holds the pending tasks of one processor and one concurrency key, in the order in which they start:
//! by priority, then by the time they are due, then by arrival. Lanes are read one by one, so a backlog in one
//! lane never delays another.
//!
//! A lane without a key knows its number of tasks and prefetches the next ones. A lane with a key knows its
//! number of tasks and its head alone, because there may be thousands of such lanes. What is unknown is read
//! from the database, in one query for all lanes. Lanes with a key are indexed by their heads, so those that
//! have nothing to start cost a turn nothing.

#[cfg(test)]
mod against_a_list;
pub(in crate::state) mod candidate;
pub(in crate::state) mod head;
pub(in crate::state) mod lane_name;
pub(in crate::state) mod prefetch;
pub(in crate::state) mod processor_lanes;
#[cfg(test)]
pub(in crate::state) mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::models::Timestamp;
use crate::state::dispatch::lanes::head::{LaneHead, LanePosition};
use crate::state::dispatch::lanes::lane_name::{LaneName, OwnedLane};
use crate::state::dispatch::lanes::prefetch::Prefetch;
use crate::state::dispatch::lanes::processor_lanes::{Lane, ProcessorLanes};

/// The upper bound of priorities in a lane whose tasks are not known.
const MOST_URGENT: i64 = i64::MAX;

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    processors: HashMap<String, ProcessorLanes>,
    total: u64,
    /// For each key, the processors whose lanes sleep until a task of that key ends.
    sleeping: HashMap<String, Vec<String>>,
    /// How the number of tasks in each lane has changed since [`Self::start_noting`].
    changes: Option<HashMap<OwnedLane, i64>>,
}

impl Lanes {
    /// Returns the number of tasks in all lanes.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Returns the number of tasks of one processor.
    pub(crate) fn count_of_processor(&self, processor: &str) -> u64 {
        self.processors
            .get(processor)
            .map_or(0, |lanes| lanes.count)
    }

    /// Iterates over the processors that have pending tasks.
    pub(crate) fn processors(&self) -> impl Iterator<Item = (&str, &ProcessorLanes)> {
        let processors = self.processors.iter();
        processors.map(|(processor, lanes)| (processor.as_str(), lanes))
    }

    /// Returns the prefetched tasks of a processor's lane without a key; `None` if the processor has no tasks.
    pub(crate) fn prefetch(&mut self, processor: &str) -> Option<&mut Prefetch> {
        let lanes = self.processors.get_mut(processor)?;
        Some(&mut lanes.prefetch)
    }

    /// Clears all prefetched tasks, because another program may have changed the database.
    pub(crate) fn clear_prefetched(&mut self) {
        for lanes in self.processors.values_mut() {
            lanes.prefetch.clear();
        }
    }

    /// Marks every head as unknown that was known until `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        for lanes in self.processors.values_mut() {
            lanes.prefetch.advance(now);
            while let Some((next, key)) = lanes.later.first()
                && *next <= now
            {
                let key = Arc::clone(key);
                lanes.change(&key, |lane| lane.head = LaneHead::Unknown);
            }
        }
    }

    /// Starts to note changes, for [`Self::replace`].
    pub(crate) fn start_noting(&mut self) {
        self.changes = Some(HashMap::new());
    }

    /// Stops noting changes, because the count was given up.
    pub(crate) fn stop_noting(&mut self) {
        self.changes = None;
    }

    /// Replaces the lanes with those of a count that began at the last [`Self::start_noting`], and applies what
    /// has changed since.
    pub(crate) fn replace(&mut self, counted: Self) {
        let changes = self.changes.take().unwrap_or_default();
        *self = counted;
        for ((processor, key), change) in &changes {
            let key = key.as_deref();
            let name = LaneName { processor, key };
            match u64::try_from(*change) {
                Ok(added @ 1..) => self.add_unknown(name, added),
                // A sum of zero also forgets the head: other tasks may have come than went.
                _ => self.remove(name, change.unsigned_abs()),
            }
        }
    }

    fn note(&mut self, name: LaneName<'_>, change: i64) {
        if let Some(changes) = &mut self.changes {
            let name = (name.processor.to_owned(), name.key.map(str::to_owned));
            *changes.entry(name).or_default() += change;
        }
    }

    /// Adds a pending task.
    pub(crate) fn add(&mut self, name: LaneName<'_>, position: LanePosition, now: Timestamp) {
        let Reverse(urgency) = position.priority;
        let added = Lane {
            count: 1,
            head: LaneHead::of(position, now),
            urgency,
        };
        self.merge(name, added);
        if let (None, Some(prefetch)) = (name.key, self.prefetch(name.processor)) {
            prefetch.on_added(position, now);
        }
    }

    /// Adds `count` tasks whose positions are not known.
    pub(crate) fn add_unknown(&mut self, name: LaneName<'_>, count: u64) {
        self.add_counted(name, count, MOST_URGENT, LaneHead::Unknown);
    }

    /// Adds `count` tasks with the head `head`. None of them has a priority above `urgency`.
    pub(crate) fn add_counted(
        &mut self,
        name: LaneName<'_>,
        count: u64,
        urgency: i64,
        head: LaneHead,
    ) {
        let added = Lane {
            count,
            head,
            urgency,
        };
        if count > 0 {
            self.merge(name, added);
            self.clear_prefetch(name);
        }
    }

    /// Removes `count` tasks, which may include the lane's head.
    pub(crate) fn remove(&mut self, name: LaneName<'_>, count: u64) {
        self.clear_prefetch(name);
        self.subtract(name, count);
    }

    /// Removes a task that starts.
    pub(crate) fn start(&mut self, name: LaneName<'_>, seq: i64) {
        if let (None, Some(prefetch)) = (name.key, self.prefetch(name.processor)) {
            prefetch.remove(seq);
        }
        self.subtract(name, 1);
    }

    fn clear_prefetch(&mut self, name: LaneName<'_>) {
        if let (None, Some(prefetch)) = (name.key, self.prefetch(name.processor)) {
            prefetch.clear();
        }
    }

    fn subtract(&mut self, name: LaneName<'_>, count: u64) {
        self.note(name, -(count as i64));
        let Some(lanes) = self.processors.get_mut(name.processor) else {
            return;
        };
        let removed = lanes.remove(name.key, count);
        lanes.count -= removed;
        self.total -= removed;
        if lanes.unkeyed.is_none() && lanes.keyed.is_empty() {
            self.processors.remove(name.processor);
        }
    }

    /// Sets the lane's head, as the database has it.
    ///
    /// A lane that turns out to be empty stays and starts nothing: its count is wrong because another program has
    /// changed rows, and the count that follows corrects it.
    pub(crate) fn set_head(&mut self, name: LaneName<'_>, head: LaneHead) {
        let Some(lanes) = self.processors.get_mut(name.processor) else {
            return;
        };
        match name.key {
            None => lanes.unkeyed.iter_mut().for_each(|lane| lane.head = head),
            Some(key) => lanes.change(key, |lane| lane.head = head),
        }
    }

    /// Skips the lane until `until`, or until another task joins it. Without a time it is skipped until a task of
    /// its key ends.
    pub(crate) fn sleep(&mut self, processor: &str, key: &str, until: Option<Timestamp>) {
        if until.is_none() {
            let sleeping = self.sleeping.entry(key.to_owned()).or_default();
            if !sleeping.iter().any(|name| name == processor) {
                sleeping.push(processor.to_owned());
            }
        }
        let nothing = LaneHead::Known {
            due: None,
            next: until,
        };
        let key = Some(key);
        self.set_head(LaneName { processor, key }, nothing);
    }

    /// Wakes the lanes that sleep until a task of this key ends.
    pub(crate) fn wake(&mut self, key: &str) {
        for processor in self.sleeping.remove(key).unwrap_or_default() {
            let (processor, key) = (processor.as_str(), Some(key));
            self.set_head(LaneName { processor, key }, LaneHead::Unknown);
        }
    }

    /// Wakes every lane, because the limits have changed.
    pub(crate) fn wake_all(&mut self) {
        self.sleeping.clear();
        for lanes in self.processors.values_mut() {
            let keys: Vec<_> = lanes.keyed.keys().map(Arc::clone).collect();
            for key in keys {
                lanes.change(&key, |lane| lane.head = LaneHead::Unknown);
            }
        }
    }

    /// Forgets every head, because the clock was set or tasks have become due at other times.
    pub(crate) fn forget_times(&mut self) {
        self.wake_all();
        for lanes in self.processors.values_mut() {
            lanes.prefetch.clear();
            if let Some(lane) = &mut lanes.unkeyed {
                lane.head = LaneHead::Unknown;
            }
        }
    }

    fn merge(&mut self, name: LaneName<'_>, added: Lane) {
        self.note(name, added.count as i64);
        self.total += added.count;
        // The name is nearly always there; looking it up first saves a copy of it.
        match self.processors.get_mut(name.processor) {
            Some(lanes) => lanes.merge(name.key, added),
            None => {
                let mut lanes = ProcessorLanes::default();
                lanes.merge(name.key, added);
                self.processors.insert(name.processor.to_owned(), lanes);
            }
        }
    }
}
