//! The waiting tasks by lane, as the Writer knows them. Pure.
//!
//! A lane is the tasks of one processor and concurrency key, in the order in which they start: by
//! priority, then by the time they are due, then by arrival. A lane without a key is known by its
//! number of tasks, and by the next ones as far as they were read ahead; of a lane with a key its front is
//! known, because there may be thousands of them. What is not known is asked of the database, in one query for all lanes.
//!
//! Lanes with a key are filed by what is known of their fronts, so that those that have nothing to
//! start now cost a turn nothing, however many they are.

pub(in crate::state) mod head;
pub(in crate::state) mod prefetch;
pub(in crate::state) mod processor_lanes;
#[cfg(test)]
pub(in crate::state) mod tests;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;

use crate::state::dispatch::lanes::processor_lanes::{Lane, ProcessorLanes};
pub(crate) use head::{LaneHead, Place};
pub(crate) use prefetch::Prefetch;

use crate::models::Timestamp;

/// The priority of a task of which nothing is known.
const MOST_URGENT: i64 = i64::MAX;

/// All lanes.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    processors: HashMap<String, ProcessorLanes>,
    total: u64,
    /// Processors whose lanes of a key sleep until one of the key's tasks ends.
    shut: HashMap<String, Vec<String>>,
    /// How the number of tasks has changed in each lane, while that is noted.
    changes: Option<HashMap<OwnedName, i64>>,
}

/// A lane's name: processor, key.
type OwnedName = (String, Option<String>);

/// One lane, named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct LaneName<'a> {
    pub(crate) processor: &'a str,
    pub(crate) key: Option<&'a str>,
}

impl Lanes {
    /// Tasks in all lanes.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Tasks of one processor.
    pub(crate) fn count_of_processor(&self, processor: &str) -> u64 {
        self.processors
            .get(processor)
            .map_or(0, |lanes| lanes.count)
    }

    /// The processors that have tasks.
    pub(crate) fn processors(&self) -> impl Iterator<Item = (&str, &ProcessorLanes)> {
        let processors = self.processors.iter();
        processors.map(|(processor, lanes)| (processor.as_str(), lanes))
    }

    /// The tasks of a processor's lane without a key that were read ahead; `None` if it has no tasks.
    pub(crate) fn ahead(&mut self, processor: &str) -> Option<&mut Prefetch> {
        let lanes = self.processors.get_mut(processor)?;
        Some(&mut lanes.ahead)
    }

    /// What was read ahead may not hold any more: another program may have written.
    pub(crate) fn forget_ahead(&mut self) {
        for lanes in self.processors.values_mut() {
            lanes.ahead.forget();
        }
    }

    /// It is `now`: fronts that were known until then have to be looked at.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        for lanes in self.processors.values_mut() {
            lanes.ahead.advance(now);
            while let Some((next, key)) = lanes.later.first()
                && *next <= now
            {
                let key = Arc::clone(key);
                lanes.change(&key, |lane| lane.front = LaneHead::Unknown);
            }
        }
    }

    /// Notes from now on what changes, for [`Self::replace`].
    pub(crate) fn note_changes(&mut self) {
        self.changes = Some(HashMap::new());
    }

    /// Nothing was counted: what has changed need not be known.
    pub(crate) fn forget_changes(&mut self) {
        self.changes = None;
    }

    /// The lanes are those that were counted as they were at the last [`Self::note_changes`], with
    /// what has changed since.
    pub(crate) fn replace(&mut self, counted: Self) {
        let changes = self.changes.take().unwrap_or_default();
        *self = counted;
        for ((processor, key), change) in &changes {
            let key = key.as_deref();
            let name = LaneName { processor, key };
            match u64::try_from(*change) {
                Ok(came @ 1..) => self.add_unseen(name, came),
                // Also none: as many came as went, perhaps others.
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

    /// A task waits at `place`.
    pub(crate) fn add(&mut self, name: LaneName<'_>, place: Place, now: Timestamp) {
        let Reverse(urgency) = place.priority;
        let came = Lane {
            count: 1,
            front: LaneHead::of(place, now),
            urgency,
        };
        self.join(name, came);
        if let (None, Some(ahead)) = (name.key, self.ahead(name.processor)) {
            ahead.add(place, now);
        }
    }

    /// `count` tasks wait somewhere in the lane.
    pub(crate) fn add_unseen(&mut self, name: LaneName<'_>, count: u64) {
        self.add_counted(name, count, MOST_URGENT, LaneHead::Unknown);
    }

    /// `count` tasks wait in the lane, none of them more urgent than `urgency`, of which `front` is
    /// known.
    pub(crate) fn add_counted(
        &mut self,
        name: LaneName<'_>,
        count: u64,
        urgency: i64,
        front: LaneHead,
    ) {
        let came = Lane {
            count,
            front,
            urgency,
        };
        if count > 0 {
            self.join(name, came);
            self.forget_ahead_of(name);
        }
    }

    /// `count` tasks, perhaps its front, wait no more.
    pub(crate) fn remove(&mut self, name: LaneName<'_>, count: u64) {
        self.forget_ahead_of(name);
        self.count_out(name, count);
    }

    /// A task of the lane starts.
    pub(crate) fn start(&mut self, name: LaneName<'_>, seq: i64) {
        if let (None, Some(ahead)) = (name.key, self.ahead(name.processor)) {
            ahead.take(seq);
        }
        self.count_out(name, 1);
    }

    fn forget_ahead_of(&mut self, name: LaneName<'_>) {
        if let (None, Some(ahead)) = (name.key, self.ahead(name.processor)) {
            ahead.forget();
        }
    }

    fn count_out(&mut self, name: LaneName<'_>, count: u64) {
        self.note(name, -(count as i64));
        let Some(lanes) = self.processors.get_mut(name.processor) else {
            return;
        };
        let gone = lanes.remove(name.key, count);
        lanes.count -= gone;
        self.total -= gone;
        if lanes.plain.is_none() && lanes.keyed.is_empty() {
            self.processors.remove(name.processor);
        }
    }

    /// Somebody has looked at the lane's front.
    ///
    /// A lane that turns out to be empty is not looked at again: its count is wrong because another
    /// program has changed rows, and the count that follows mends it.
    pub(crate) fn learn(&mut self, name: LaneName<'_>, front: LaneHead) {
        let Some(lanes) = self.processors.get_mut(name.processor) else {
            return;
        };
        match name.key {
            None => lanes.plain.iter_mut().for_each(|lane| lane.front = front),
            Some(key) => lanes.change(key, |lane| lane.front = front),
        }
    }

    /// The key of this lane has no room before `until`; without a time, until one of the key's tasks
    /// ends. The lane is left alone until then, or until another task comes.
    pub(crate) fn sleep(&mut self, processor: &str, key: &str, until: Option<Timestamp>) {
        if until.is_none() {
            let shut = self.shut.entry(key.to_owned()).or_default();
            if !shut.iter().any(|name| name == processor) {
                shut.push(processor.to_owned());
            }
        }
        let nothing = LaneHead::Known {
            due: None,
            next: until,
        };
        let key = Some(key);
        self.learn(LaneName { processor, key }, nothing);
    }

    /// A task of this key has ended, or is about to.
    pub(crate) fn wake(&mut self, key: &str) {
        for processor in self.shut.remove(key).unwrap_or_default() {
            let (processor, key) = (processor.as_str(), Some(key));
            self.learn(LaneName { processor, key }, LaneHead::Unknown);
        }
    }

    /// Whatever sleeps wakes: other limits hold.
    pub(crate) fn wake_all(&mut self) {
        self.shut.clear();
        for lanes in self.processors.values_mut() {
            let keys: Vec<_> = lanes.keyed.keys().map(Arc::clone).collect();
            for key in keys {
                lanes.change(&key, |lane| lane.front = LaneHead::Unknown);
            }
        }
    }

    /// What is known of times does not hold any more: the clock was set, or tasks are due at other times.
    pub(crate) fn forget_times(&mut self) {
        self.wake_all();
        for lanes in self.processors.values_mut() {
            lanes.ahead.forget();
            if let Some(lane) = &mut lanes.plain {
                lane.front = LaneHead::Unknown;
            }
        }
    }

    fn join(&mut self, name: LaneName<'_>, came: Lane) {
        self.note(name, came.count as i64);
        self.total += came.count;
        // Looked up before it is entered: the name is nearly always there, and need not be copied.
        match self.processors.get_mut(name.processor) {
            Some(lanes) => lanes.join(name.key, came),
            None => {
                let mut lanes = ProcessorLanes::default();
                lanes.join(name.key, came);
                self.processors.insert(name.processor.to_owned(), lanes);
            }
        }
    }
}
