//! The waiting tasks by lane, as the Writer knows them. Pure.
//!
//! A lane is the tasks of one processor and concurrency key, in the order in which they start: by
//! priority, then by the time they are due, then by arrival. A lane without a key is known by its
//! number of tasks; of a lane with a key its front is known too, because there may be thousands of
//! them. What is not known is asked of the database, in one query for all lanes.

use std::collections::HashMap;

use crate::models::Timestamp;

/// A task's place in its lane; the least is the first to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    priority: std::cmp::Reverse<i64>,
    pub run_at: Timestamp,
    pub seq: i64,
}

impl Place {
    pub fn new(priority: i64, run_at: Timestamp, seq: i64) -> Self {
        Self {
            priority: std::cmp::Reverse(priority),
            run_at,
            seq,
        }
    }
}

/// What is known of a lane's first task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Front {
    /// Somebody has to look.
    Unknown,
    Known {
        /// Where the first of the tasks that are due stands.
        due: Option<Place>,
        /// When the next of the others is due; from then on the front is unknown.
        next: Option<Timestamp>,
    },
}

#[derive(Debug)]
struct Lane {
    count: u64,
    front: Front,
}

/// All lanes.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    processors: HashMap<String, Lanesful>,
    total: u64,
}

#[derive(Debug, Default)]
struct Lanesful {
    plain: Option<Lane>,
    keyed: HashMap<String, Lane>,
}

/// One lane, named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct LaneName<'a> {
    pub processor: &'a str,
    pub key: Option<&'a str>,
}

impl Lanes {
    /// Tasks in all lanes.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Tasks of one processor.
    pub fn of_processor(&self, processor: &str) -> u64 {
        self.processors.get(processor).map_or(0, |lanes| {
            let plain = lanes.plain.as_ref().map_or(0, |lane| lane.count);
            plain + lanes.keyed.values().map(|lane| lane.count).sum::<u64>()
        })
    }

    /// Every lane that has a task, with what is known of its front.
    pub fn iter(&self) -> impl Iterator<Item = (LaneName<'_>, Front)> {
        self.processors.iter().flat_map(|(processor, lanes)| {
            let name = move |key| LaneName { processor, key };
            let plain = lanes.plain.iter().map(move |lane| (name(None), lane.front));
            let keyed = lanes.keyed.iter();
            plain.chain(keyed.map(move |(key, lane)| (name(Some(key.as_str())), lane.front)))
        })
    }

    /// A task waits at `place`.
    pub fn add(&mut self, name: LaneName<'_>, place: Place, now: Timestamp) {
        self.total += 1;
        match self.lane(name) {
            Some(lane) => {
                lane.count += 1;
                lane.front = lane.front.with(place, now);
            }
            None => {
                let front = Front::of(place, now);
                self.insert(name, Lane { count: 1, front });
            }
        }
    }

    /// `count` tasks wait somewhere in the lane.
    pub fn add_unseen(&mut self, name: LaneName<'_>, count: u64) {
        self.total += count;
        let front = Front::Unknown;
        match self.lane(name) {
            Some(lane) => {
                lane.count += count;
                lane.front = front;
            }
            None if count > 0 => self.insert(name, Lane { count, front }),
            None => {}
        }
    }

    /// `count` tasks, perhaps its front, wait no more.
    pub fn remove(&mut self, name: LaneName<'_>, count: u64) {
        let Some(lane) = self.lane(name) else {
            return;
        };
        let gone = count.min(lane.count);
        lane.count -= gone;
        lane.front = Front::Unknown;
        let is_empty = lane.count == 0;
        self.total -= gone;
        if is_empty {
            self.drop_lane(name);
        }
    }

    /// Somebody has looked at the lane's front.
    ///
    /// A lane that turns out to be empty is not looked at again: its count is wrong because another
    /// program has changed rows, and the count that follows mends it.
    pub fn learn(&mut self, name: LaneName<'_>, front: Front) {
        if let Some(lane) = self.lane(name) {
            lane.front = front;
        }
    }

    fn lane(&mut self, name: LaneName<'_>) -> Option<&mut Lane> {
        let lanes = self.processors.get_mut(name.processor)?;
        match name.key {
            None => lanes.plain.as_mut(),
            Some(key) => lanes.keyed.get_mut(key),
        }
    }

    fn insert(&mut self, name: LaneName<'_>, lane: Lane) {
        let lanes = self.processors.entry(name.processor.to_owned());
        let lanes = lanes.or_default();
        match name.key {
            None => lanes.plain = Some(lane),
            Some(key) => drop(lanes.keyed.insert(key.to_owned(), lane)),
        }
    }

    fn drop_lane(&mut self, name: LaneName<'_>) {
        let Some(lanes) = self.processors.get_mut(name.processor) else {
            return;
        };
        match name.key {
            None => lanes.plain = None,
            Some(key) => drop(lanes.keyed.remove(key)),
        }
        if lanes.plain.is_none() && lanes.keyed.is_empty() {
            self.processors.remove(name.processor);
        }
    }
}

impl Front {
    fn of(place: Place, now: Timestamp) -> Self {
        let is_due = place.run_at <= now;
        Self::Known {
            due: is_due.then_some(place),
            next: (!is_due).then_some(place.run_at),
        }
    }

    /// The front after a task has come to `place`.
    fn with(self, place: Place, now: Timestamp) -> Self {
        let (
            Self::Known { due, next },
            Self::Known {
                due: came,
                next: later,
            },
        ) = (self, Self::of(place, now))
        else {
            return Self::Unknown;
        };
        Self::Known {
            due: due.into_iter().chain(came).min(),
            next: next.into_iter().chain(later).min(),
        }
    }

    /// The front as far as it is still known at `now`.
    pub fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Known {
                next: Some(next), ..
            } if next <= now => Self::Unknown,
            known => known,
        }
    }

    /// Whether something may start at `now`.
    pub fn may_be_due(self, now: Timestamp) -> bool {
        match self.at(now) {
            Self::Unknown => true,
            Self::Known { due, .. } => due.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANE: LaneName<'static> = LaneName {
        processor: "p",
        key: Some("k"),
    };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn front(lanes: &Lanes) -> Front {
        lanes.iter().next().expect("a lane").1
    }

    #[test]
    fn the_first_is_the_most_urgent_then_the_longest_due_then_the_earliest() {
        let mut lanes = Lanes::default();
        let places = [(0, 5, 1), (0, 4, 2), (0, 4, 3), (7, 9, 4)];
        for (priority, run_at, seq) in places {
            lanes.add(LANE, Place::new(priority, at(run_at), seq), at(10));
        }
        let due = Some(Place::new(7, at(9), 4));
        assert_eq!(front(&lanes), Front::Known { due, next: None });
    }

    #[test]
    fn a_front_is_known_until_something_else_becomes_due() {
        let mut lanes = Lanes::default();
        lanes.add(LANE, Place::new(0, at(1), 1), at(10));
        lanes.add(LANE, Place::new(9, at(20), 2), at(10));
        assert!(matches!(
            front(&lanes).at(at(19)),
            Front::Known { due: Some(_), .. }
        ));
        assert_eq!(front(&lanes).at(at(20)), Front::Unknown);
        assert!(front(&lanes).may_be_due(at(20)));
    }

    #[test]
    fn what_is_not_due_is_no_reason_to_look() {
        let mut lanes = Lanes::default();
        lanes.add(LANE, Place::new(0, at(20), 1), at(10));
        assert!(!front(&lanes).may_be_due(at(19)));
        assert!(front(&lanes).may_be_due(at(20)));
    }

    #[test]
    fn a_lane_that_lost_tasks_must_be_looked_at_and_an_empty_one_is_gone() {
        let mut lanes = Lanes::default();
        lanes.add(LANE, Place::new(0, at(1), 1), at(10));
        lanes.add(LANE, Place::new(0, at(1), 2), at(10));
        lanes.remove(LANE, 1);
        assert_eq!(front(&lanes), Front::Unknown);
        lanes.remove(LANE, 1);
        assert_eq!(lanes.iter().count(), 0);
        assert_eq!(lanes.total(), 0);
    }
}
