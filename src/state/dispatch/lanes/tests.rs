//! Tests of the lanes: heads, sleeping lanes and counts as tasks come and go.

use crate::models::Timestamp;
use crate::state::dispatch::lanes::Lanes;
use crate::state::dispatch::lanes::head::{LaneHead, LanePosition};
use crate::state::dispatch::lanes::lane_name::LaneName;

const LANE: LaneName<'static> = LaneName {
    processor: "p",
    key: Some("k"),
};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn lanes(positions: &[(i64, i64, i64)]) -> Lanes {
    let mut lanes = Lanes::default();
    for (priority, run_at, seq) in positions {
        lanes.add(
            LANE,
            LanePosition::new(*priority, at(*run_at), *seq),
            at(10),
        );
    }
    lanes
}

fn due(lanes: &Lanes) -> Vec<LanePosition> {
    let (_, lanes) = lanes.processors().next().expect("a processor");
    lanes.due().map(|(position, _)| position).collect()
}

fn unknown(lanes: &Lanes) -> Vec<i64> {
    let (_, lanes) = lanes.processors().next().expect("a processor");
    lanes.unknown().map(|(urgency, _)| urgency).collect()
}

#[test]
fn the_first_is_the_most_urgent_then_the_longest_due_then_the_earliest() {
    let lanes = lanes(&[(0, 5, 1), (0, 4, 2), (0, 4, 3), (7, 9, 4)]);
    assert_eq!(due(&lanes), [LanePosition::new(7, at(9), 4)]);
    assert!(unknown(&lanes).is_empty());
}

#[test]
fn a_head_is_known_until_another_task_becomes_due() {
    let mut lanes = lanes(&[(0, 1, 1), (9, 20, 2)]);
    lanes.advance(at(19));
    assert_eq!(due(&lanes), [LanePosition::new(0, at(1), 1)]);
    lanes.advance(at(20));
    assert_eq!((due(&lanes), unknown(&lanes)), (vec![], vec![9]));
}

#[test]
fn a_task_that_is_not_due_hides_no_other() {
    let mut lanes = lanes(&[(0, 20, 1)]);
    lanes.advance(at(19));
    assert_eq!((due(&lanes), unknown(&lanes)), (vec![], vec![]));
    lanes.advance(at(20));
    assert_eq!(unknown(&lanes), [0]);
}

#[test]
fn a_lane_that_lost_tasks_has_an_unknown_head_and_an_empty_lane_is_dropped() {
    let mut lanes = lanes(&[(0, 1, 1), (0, 1, 2)]);
    lanes.remove(LANE, 1);
    assert_eq!((due(&lanes), unknown(&lanes)), (vec![], vec![0]));
    lanes.remove(LANE, 1);
    assert_eq!(lanes.processors().count(), 0);
    assert_eq!(lanes.total(), 0);
}

#[test]
fn a_lane_without_a_slot_sleeps_until_a_time_or_until_a_task_ends() {
    let mut lanes = lanes(&[(0, 1, 1)]);
    lanes.sleep("p", "k", Some(at(30)));
    lanes.advance(at(29));
    assert_eq!((due(&lanes), unknown(&lanes)), (vec![], vec![]));
    lanes.advance(at(30));
    assert_eq!(unknown(&lanes), [0]);

    lanes.sleep("p", "k", None);
    lanes.advance(at(99));
    lanes.wake("another");
    assert!(unknown(&lanes).is_empty());
    lanes.wake("k");
    assert_eq!(unknown(&lanes), [0]);
}

#[test]
fn changes_during_a_count_are_applied_to_it() {
    let mut lanes = lanes(&[(0, 1, 1), (0, 1, 2), (0, 1, 3)]);
    let counted = || {
        let mut counted = Lanes::default();
        let head = LaneHead::Known {
            due: Some(LanePosition::new(0, at(1), 1)),
            next: None,
        };
        counted.add_counted(LANE, 5, 0, head);
        counted
    };
    lanes.start_noting();
    lanes.remove(LANE, 1);
    let other = LaneName { key: None, ..LANE };
    lanes.add(other, LanePosition::new(0, at(1), 4), at(10));
    lanes.replace(counted());
    assert_eq!((lanes.total(), lanes.count_of_processor("p")), (5, 5));
    // The task that was removed may be the head.
    assert_eq!((due(&lanes), unknown(&lanes)), (vec![], vec![0]));

    lanes.start_noting();
    lanes.remove(LANE, 1);
    lanes.add(LANE, LanePosition::new(9, at(1), 5), at(10));
    lanes.replace(counted());
    assert_eq!((lanes.total(), unknown(&lanes)), (5, vec![0]));
}

#[test]
fn lanes_that_become_empty_leave_nothing_behind() {
    let mut lanes = Lanes::default();
    for round in 0..50 {
        let key = format!("{}", round % 7);
        let lane = LaneName {
            processor: "p",
            key: Some(&key),
        };
        lanes.add(lane, LanePosition::new(round, at(5 + round), round), at(20));
        lanes.advance(at(round));
        if round % 3 == 0 {
            lanes.remove(lane, 1);
        }
    }
    for round in 0..7 {
        let key = format!("{round}");
        let lane = LaneName {
            processor: "p",
            key: Some(&key),
        };
        let of_processor = &lanes.processors["p"];
        let is_same = |name: &std::sync::Arc<str>| **name == *key;
        let found = (of_processor
            .unknown
            .iter()
            .filter(|(_, it)| is_same(it))
            .count())
            + (of_processor
                .due
                .iter()
                .filter(|(_, it)| is_same(it))
                .count());
        assert!(found <= 1, "{of_processor:?}");
        lanes.remove(lane, 50);
    }
    assert_eq!(lanes.total(), 0);
    assert!(lanes.processors.is_empty());
}
