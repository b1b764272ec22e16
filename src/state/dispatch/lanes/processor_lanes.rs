//! The lanes of one processor, those with a key filed by what is known of their fronts.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::models::Timestamp;
use crate::state::dispatch::lanes::head::{LaneHead, Place};
use crate::state::dispatch::lanes::prefetch::Prefetch;

#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) count: u64,
    pub(crate) front: LaneHead,
    /// No task of it has a higher priority; perhaps none has this one.
    pub(crate) urgency: i64,
}

/// The lanes of one processor.
#[derive(Debug, Default)]
pub(crate) struct ProcessorLanes {
    pub(crate) count: u64,
    pub(crate) plain: Option<Lane>,
    pub(crate) ahead: Prefetch,
    pub(crate) keyed: HashMap<Arc<str>, Lane>,
    /// Keys of lanes whose fronts somebody has to look at: those first that may be the most urgent.
    pub(crate) unknown: BTreeSet<(Reverse<i64>, Arc<str>)>,
    /// Keys of lanes in which a task is due, in the order in which these start.
    pub(crate) due: BTreeSet<(Place, Arc<str>)>,
    /// Keys of lanes of whose fronts nothing is known from this time on.
    pub(crate) later: BTreeSet<(Timestamp, Arc<str>)>,
}

impl ProcessorLanes {
    /// Whether a task without a key may be due at `now`.
    pub(crate) fn plain_may_be_due(&self, now: Timestamp) -> bool {
        self.plain
            .as_ref()
            .is_some_and(|lane| lane.front.may_be_due(now))
    }

    /// The keys of lanes whose fronts are not known, each with a priority that no task of it exceeds:
    /// those first that may be the most urgent.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (i64, &str)> {
        self.unknown
            .iter()
            .map(|(Reverse(urgency), key)| (*urgency, &**key))
    }

    /// The keys of lanes in which a task is due, and where it stands, in the order of these.
    pub(crate) fn due(&self) -> impl Iterator<Item = (Place, &str)> {
        self.due.iter().map(|(place, key)| (*place, &**key))
    }

    pub(crate) fn join(&mut self, key: Option<&str>, came: Lane) {
        self.count += came.count;
        match key {
            None => match &mut self.plain {
                Some(lane) => lane.join(came),
                None => self.plain = Some(came),
            },
            Some(key) if self.keyed.contains_key(key) => self.change(key, |lane| lane.join(came)),
            Some(key) => {
                let key = Arc::from(key);
                self.file(&key, &came);
                self.keyed.insert(key, came);
            }
        }
    }

    /// How many tasks of those `count` were there.
    pub(crate) fn remove(&mut self, key: Option<&str>, count: u64) -> u64 {
        let mut gone = 0;
        let mut take = |lane: &mut Lane| {
            gone = count.min(lane.count);
            lane.count -= gone;
            lane.front = LaneHead::Unknown;
        };
        match key {
            None => {
                self.plain.iter_mut().for_each(take);
                self.plain.take_if(|lane| lane.count == 0);
            }
            Some(key) => self.change(key, &mut take),
        }
        gone
    }

    /// Changes a lane, which is gone if it is empty then.
    pub(crate) fn change(&mut self, key: &str, change: impl FnOnce(&mut Lane)) {
        let Some((key, mut lane)) = self.keyed.remove_entry(key) else {
            return;
        };
        self.unfile(&key, &lane);
        change(&mut lane);
        if lane.count > 0 {
            self.file(&key, &lane);
            self.keyed.insert(key, lane);
        }
    }

    fn file(&mut self, key: &Arc<str>, lane: &Lane) {
        let key = || Arc::clone(key);
        match lane.front {
            LaneHead::Unknown => drop(self.unknown.insert((Reverse(lane.urgency), key()))),
            LaneHead::Known { due, next } => {
                self.due.extend(due.map(|place| (place, key())));
                self.later.extend(next.map(|time| (time, key())));
            }
        }
    }

    fn unfile(&mut self, key: &Arc<str>, lane: &Lane) {
        let key = || Arc::clone(key);
        match lane.front {
            LaneHead::Unknown => drop(self.unknown.remove(&(Reverse(lane.urgency), key()))),
            LaneHead::Known { due, next } => {
                due.map(|place| self.due.remove(&(place, key())));
                next.map(|time| self.later.remove(&(time, key())));
            }
        }
    }
}

impl Lane {
    fn join(&mut self, came: Lane) {
        self.count += came.count;
        self.front = self.front.with(came.front);
        self.urgency = self.urgency.max(came.urgency);
    }
}
