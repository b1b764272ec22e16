//! The tasks of a lane without a key that start next, read in advance. Pure.
//!
//! Without them a busy queue would query the database in every turn for the few tasks that have a slot. The
//! prefetched tasks stay valid until a task comes that starts before the last of them. Any other change of the
//! lane clears them, and the Writer reads them again.

use std::collections::VecDeque;

use crate::models::Timestamp;
use crate::state::dispatch::lanes::candidate::Candidate;
use crate::state::dispatch::lanes::head::LanePosition;

/// Tasks to prefetch at most.
const MAX_TASKS: usize = 256;

/// The first tasks of a lane that are due, in order.
#[derive(Debug, Default)]
pub(crate) struct Prefetch {
    tasks: VecDeque<Candidate>,
    /// When a task may become due that starts before the last of these.
    valid_until: Option<Timestamp>,
    /// How many tasks to read next time. It doubles while all are used.
    read_size: usize,
}

impl Prefetch {
    /// Returns the first `count` tasks; `None` if fewer are known.
    pub(crate) fn first(&self, count: usize) -> Option<Vec<Candidate>> {
        let known = self.tasks.len() >= count;
        known.then(|| self.tasks.iter().take(count).cloned().collect())
    }

    /// Returns how many tasks to read when `count` are needed.
    pub(crate) fn read_size(&self, count: usize) -> usize {
        self.read_size.max(count).min(MAX_TASKS.max(count))
    }

    /// Sets the next read size after a query for `limit` tasks returned `found`.
    pub(crate) fn adapt_read_size(&mut self, limit: usize, found: usize) {
        self.read_size = if found < limit {
            0
        } else {
            (limit * 2).min(MAX_TASKS)
        };
    }

    /// Stores tasks that were read. They hold until `valid_until`.
    pub(crate) fn fill(&mut self, tasks: Vec<Candidate>, valid_until: Option<Timestamp>) {
        self.tasks = tasks.into();
        self.valid_until = valid_until;
    }

    /// Removes a task that starts.
    pub(crate) fn remove(&mut self, seq: i64) {
        let mut tasks = self.tasks.iter();
        if let Some(index) = tasks.position(|task| task.position.seq == seq) {
            self.tasks.remove(index);
        }
    }

    /// Accounts for a task that joins the lane.
    pub(crate) fn on_added(&mut self, position: LanePosition, now: Timestamp) {
        let Some(last) = self.tasks.back() else {
            return;
        };
        if position > last.position {
            return;
        }
        if position.run_at <= now {
            self.clear();
        } else {
            let valid_until = self.valid_until.into_iter();
            self.valid_until = valid_until.chain([position.run_at]).min();
        }
    }

    /// Clears the tasks if they do not hold at `now`.
    pub(crate) fn advance(&mut self, now: Timestamp) {
        if self.valid_until.is_some_and(|until| until <= now) {
            self.clear();
        }
    }

    pub(crate) fn clear(&mut self) {
        if !self.tasks.is_empty() {
            self.read_size = 0;
        }
        self.tasks.clear();
        self.valid_until = None;
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
            position: LanePosition::new(0, at(seq), seq),
            processor: "p".to_owned(),
            key: None,
            bytes: 1,
        }
    }

    fn seqs(prefetch: &Prefetch, count: usize) -> Option<Vec<i64>> {
        let tasks = prefetch.first(count)?;
        Some(tasks.iter().map(|task| task.position.seq).collect())
    }

    fn known(until: Option<Timestamp>) -> Prefetch {
        let mut prefetch = Prefetch::default();
        prefetch.fill((1..=4).map(task).collect(), until);
        prefetch
    }

    #[test]
    fn it_returns_tasks_until_they_start() {
        let mut prefetch = known(None);
        assert_eq!(seqs(&prefetch, 2), Some(vec![1, 2]));
        prefetch.remove(1);
        prefetch.remove(3);
        assert_eq!(seqs(&prefetch, 2), Some(vec![2, 4]));
        assert_eq!(seqs(&prefetch, 3), None);
    }

    #[test]
    fn a_task_that_sorts_before_the_last_clears_it_once_it_is_due() {
        let mut prefetch = known(None);
        prefetch.on_added(LanePosition::new(0, at(5), 5), at(10));
        prefetch.on_added(LanePosition::new(-1, at(1), 6), at(10));
        assert!(prefetch.first(4).is_some());
        prefetch.on_added(LanePosition::new(1, at(5), 7), at(10));
        assert!(prefetch.first(1).is_none());

        let mut prefetch = known(Some(at(30)));
        prefetch.on_added(LanePosition::new(1, at(20), 5), at(10));
        prefetch.on_added(LanePosition::new(0, at(15), 6), at(10));
        prefetch.advance(at(19));
        assert!(prefetch.first(4).is_some());
        prefetch.advance(at(20));
        assert!(prefetch.first(1).is_none());
    }

    #[test]
    fn the_read_size_doubles_while_all_tasks_are_used() {
        let mut prefetch = known(None);
        assert_eq!(prefetch.read_size(1), 1);
        prefetch.adapt_read_size(1, 1);
        assert_eq!(prefetch.read_size(1), 2);
        assert_eq!(prefetch.read_size(1000), 1000);
        prefetch.adapt_read_size(200, 200);
        assert_eq!(prefetch.read_size(1), MAX_TASKS);
        prefetch.adapt_read_size(256, 255);
        assert_eq!(prefetch.read_size(1), 1);
        prefetch.adapt_read_size(8, 8);
        prefetch.clear();
        assert_eq!(prefetch.read_size(1), 1);
    }
}
