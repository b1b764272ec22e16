//! The tasks of a lane without a key that start next, read ahead: a busy queue would otherwise ask the
//! database in each turn for the few that have room.
//!
//! What was read ahead holds as long as nothing comes before it. Whatever may have changed it otherwise
//! makes it forgotten, and it is read anew.

use std::collections::VecDeque;

use crate::models::Timestamp;
use crate::state::dispatch::lanes::head::Place;
use crate::state::dispatch::pending_sql::Candidate;

/// Tasks that are read ahead at most.
const MOST: usize = 256;

/// The first tasks of a lane that are due, in their order.
#[derive(Debug, Default)]
pub(crate) struct Prefetch {
    tasks: VecDeque<Candidate>,
    /// When one that comes before the last of them may be due.
    until: Option<Timestamp>,
    /// How many are worth reading: more whenever all were used, few again when they were not.
    worth: usize,
}

impl Prefetch {
    /// The first `count` tasks, if so many are known.
    pub(crate) fn first(&self, count: usize) -> Option<Vec<Candidate>> {
        let known = self.tasks.len() >= count;
        known.then(|| self.tasks.iter().take(count).cloned().collect())
    }

    /// How many to read if `count` are needed.
    pub(crate) fn worth_reading(&self, count: usize) -> usize {
        self.worth.max(count).min(MOST.max(count))
    }

    /// So many were asked for and found. Next time twice as many, if there may be more.
    pub(crate) fn found(&mut self, asked: usize, found: usize) {
        self.worth = if found < asked {
            0
        } else {
            (asked * 2).min(MOST)
        };
    }

    /// They were read; `until` is when another may be due that comes before the last.
    pub(crate) fn learn(&mut self, tasks: Vec<Candidate>, until: Option<Timestamp>) {
        self.tasks = tasks.into();
        self.until = until;
    }

    /// This task starts.
    pub(crate) fn take(&mut self, seq: i64) {
        if let Some(index) = self.tasks.iter().position(|task| task.place.seq == seq) {
            self.tasks.remove(index);
        }
    }

    /// A task has come to the lane.
    pub(crate) fn add(&mut self, place: Place, now: Timestamp) {
        let Some(last) = self.tasks.back() else {
            return;
        };
        if place > last.place {
            return;
        }
        if place.run_at <= now {
            self.forget();
        } else {
            self.until = self.until.into_iter().chain([place.run_at]).min();
        }
    }

    /// It is `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if self.until.is_some_and(|until| until <= now) {
            self.forget();
        }
    }

    /// Nothing is known any more.
    pub(crate) fn forget(&mut self) {
        if !self.tasks.is_empty() {
            self.worth = 0;
        }
        self.tasks.clear();
        self.until = None;
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::models::Attempt;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn task(seq: i64) -> Candidate {
        let task_id = Uuid::from_u128(seq as u128);
        Candidate {
            attempt: Attempt {
                seq,
                task_id,
                number: 1,
            },
            place: Place::new(0, at(seq), seq),
            processor: "p".to_owned(),
            key: None,
            bytes: 1,
        }
    }

    fn seqs(ahead: &Prefetch, count: usize) -> Option<Vec<i64>> {
        let tasks = ahead.first(count)?;
        Some(tasks.iter().map(|task| task.place.seq).collect())
    }

    fn known(until: Option<Timestamp>) -> Prefetch {
        let mut ahead = Prefetch::default();
        ahead.learn((1..=4).map(task).collect(), until);
        ahead
    }

    #[test]
    fn what_was_read_is_given_until_it_has_started() {
        let mut ahead = known(None);
        assert_eq!(seqs(&ahead, 2), Some(vec![1, 2]));
        ahead.take(1);
        ahead.take(3);
        assert_eq!(seqs(&ahead, 2), Some(vec![2, 4]));
        assert_eq!(seqs(&ahead, 3), None);
    }

    #[test]
    fn what_comes_before_the_last_makes_it_forgotten_at_once_or_when_it_is_due() {
        let mut ahead = known(None);
        ahead.add(Place::new(0, at(5), 5), at(10));
        ahead.add(Place::new(-1, at(1), 6), at(10));
        assert!(ahead.first(4).is_some());
        ahead.add(Place::new(1, at(5), 7), at(10));
        assert!(ahead.first(1).is_none());

        let mut ahead = known(Some(at(30)));
        ahead.add(Place::new(1, at(20), 5), at(10));
        ahead.add(Place::new(0, at(15), 6), at(10));
        ahead.advance(at(19));
        assert!(ahead.first(4).is_some());
        ahead.advance(at(20));
        assert!(ahead.first(1).is_none());
    }

    #[test]
    fn more_is_read_whenever_all_was_used_and_few_when_it_was_not() {
        let mut ahead = known(None);
        assert_eq!(ahead.worth_reading(1), 1);
        ahead.found(1, 1);
        assert_eq!(ahead.worth_reading(1), 2);
        assert_eq!(ahead.worth_reading(1000), 1000);
        ahead.found(200, 200);
        assert_eq!(ahead.worth_reading(1), MOST);
        ahead.found(256, 255);
        assert_eq!(ahead.worth_reading(1), 1);
        ahead.found(8, 8);
        ahead.forget();
        assert_eq!(ahead.worth_reading(1), 1);
    }
}
