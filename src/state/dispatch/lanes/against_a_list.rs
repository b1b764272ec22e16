//! The lanes against a plain list of all pending tasks: whatever they say they know is what the list says.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use uuid::Uuid;

use crate::models::{Attempt, Timestamp};
use crate::state::dispatch::lanes::Lanes;
use crate::state::dispatch::lanes::candidate::Candidate;
use crate::state::dispatch::lanes::head::{LaneHead, LanePosition};
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::dispatch::lanes::processor_lanes::Lane;

const PROCESSOR: &str = "p";
const KEYS: [&str; 2] = ["a", "b"];

/// A lane: that of tasks without a key, or of one of [`KEYS`].
type Key = Option<&'static str>;

#[derive(Clone, Debug)]
enum Op {
    /// A task joins; it is due this many seconds from now.
    Add {
        key: Key,
        priority: i64,
        due_in: i64,
    },
    /// The first task that is due starts.
    Start {
        key: Key,
    },
    /// Another task than one that starts leaves, such as one that is deleted.
    Remove {
        key: Key,
        index: usize,
    },
    /// The Writer reads the lane, and this many tasks in advance.
    Read {
        key: Key,
        limit: usize,
    },
    Pass {
        seconds: i64,
    },
    /// The limits change.
    WakeAll,
    /// The clock is set.
    ForgetTimes,
}

fn op() -> impl Strategy<Value = Op> {
    let key = || option::of(prop::sample::select(&KEYS[..]));
    prop_oneof![
        5 => (key(), -2..=2_i64, -5..=5_i64)
            .prop_map(|(key, priority, due_in)| Op::Add { key, priority, due_in }),
        3 => key().prop_map(|key| Op::Start { key }),
        1 => (key(), any::<usize>()).prop_map(|(key, index)| Op::Remove { key, index }),
        4 => (key(), 1..5_usize).prop_map(|(key, limit)| Op::Read { key, limit }),
        3 => (0..4_i64).prop_map(|seconds| Op::Pass { seconds }),
        1 => Just(Op::WakeAll),
        1 => Just(Op::ForgetTimes),
    ]
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
}

fn name(key: Key) -> LaneName<'static> {
    LaneName {
        processor: PROCESSOR,
        key,
    }
}

/// The lanes and the list, after the same operations.
#[derive(Default)]
struct Both {
    lanes: Lanes,
    list: Vec<(Key, LanePosition)>,
    now: i64,
    seq: i64,
}

impl Both {
    fn apply(&mut self, op: &Op) {
        let now = at(self.now);
        match *op {
            Op::Add {
                key,
                priority,
                due_in,
            } => {
                self.seq += 1;
                let position = LanePosition::new(priority, at(self.now + due_in), self.seq);
                self.lanes.add(name(key), position, now);
                self.list.push((key, position));
            }
            Op::Start { key } => {
                if let Some(first) = self.due(key).first() {
                    self.lanes.start(name(key), first.seq);
                    self.list.retain(|(_, position)| position != first);
                }
            }
            Op::Remove { key, index } => {
                let of_lane: Vec<_> = self.positions(key).collect();
                if let Some(removed) = of_lane.get(index % of_lane.len().max(1)) {
                    self.lanes.remove(name(key), 1);
                    self.list.retain(|(_, position)| position != removed);
                }
            }
            Op::Read { key, limit } => self.read(key, limit),
            Op::Pass { seconds } => {
                self.now += seconds;
                self.lanes.advance(at(self.now));
            }
            Op::WakeAll => self.lanes.wake_all(),
            Op::ForgetTimes => self.lanes.forget_times(),
        }
    }

    /// Tells the lanes what a query would find.
    fn read(&mut self, key: Key, limit: usize) {
        let due = self.due(key);
        let now = at(self.now);
        let later = self.positions(key).filter(|position| position.run_at > now);
        let next = later.map(|position| position.run_at).min();
        let head = LaneHead::Known {
            due: due.first().copied(),
            next,
        };
        self.lanes.set_head(name(key), head);
        if let (None, Some(prefetch)) = (key, self.lanes.prefetch(PROCESSOR)) {
            let tasks = due.into_iter().take(limit).map(candidate);
            prefetch.fill(tasks.collect(), next);
        }
    }

    fn positions(&self, key: Key) -> impl Iterator<Item = LanePosition> {
        let of_lane = self.list.iter().filter(move |(lane, _)| *lane == key);
        of_lane.map(|(_, position)| *position)
    }

    /// The tasks of the lane that are due, in the order in which they start.
    fn due(&self, key: Key) -> Vec<LanePosition> {
        let now = at(self.now);
        let due = self
            .positions(key)
            .filter(|position| position.run_at <= now);
        let mut due: Vec<_> = due.collect();
        due.sort();
        due
    }

    fn lane(&self, key: Key) -> Option<&Lane> {
        let (_, lanes) = self.lanes.processors().next()?;
        match key {
            None => lanes.unkeyed.as_ref(),
            Some(key) => lanes.keyed.get(key),
        }
    }

    fn check(&mut self) {
        let total = self.list.len() as u64;
        assert_eq!(self.lanes.total(), total);
        assert_eq!(self.lanes.count_of_processor(PROCESSOR), total);
        let mut heads = Vec::new();
        for key in [None, Some(KEYS[0]), Some(KEYS[1])] {
            let Some(lane) = self.lane(key) else {
                assert_eq!(self.positions(key).count(), 0, "{key:?}");
                continue;
            };
            assert_eq!(lane.count, self.positions(key).count() as u64, "{key:?}");
            let urgencies = self.positions(key).map(|position| position.priority.0);
            assert!(urgencies.max() <= Some(lane.urgency), "{key:?}");
            if let LaneHead::Known { due, .. } = lane.head.at(at(self.now)) {
                assert_eq!(due, self.due(key).first().copied(), "{key:?}");
                heads.extend(due.zip(key));
            }
        }
        heads.sort();
        if let Some((_, lanes)) = self.lanes.processors().next() {
            assert_eq!(lanes.due().collect::<Vec<_>>(), heads);
        }
        self.check_prefetched();
    }

    fn check_prefetched(&mut self) {
        let due = self.due(None);
        let Some(prefetch) = self.lanes.prefetch(PROCESSOR) else {
            return;
        };
        for count in 1..5 {
            let first = prefetch.first(count).unwrap_or_default();
            for (prefetched, due) in first.iter().zip(&due) {
                assert_eq!(prefetched.position, *due);
            }
            assert!(first.len() <= due.len(), "{first:?}");
        }
    }
}

fn candidate(position: LanePosition) -> Candidate {
    let task_id = Uuid::from_u128(position.seq.unsigned_abs().into());
    Candidate {
        attempt: Attempt {
            seq: position.seq,
            task_id,
            number: 1,
        },
        position,
        processor: PROCESSOR.to_owned(),
        key: None,
        bytes: 1,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_the_lanes_know_is_what_a_list_says(ops in vec(op(), 0..60)) {
        let mut both = Both::default();
        for op in &ops {
            both.apply(op);
            both.check();
        }
    }
}
