//! The head of a lane: what is known of the task that starts first in it. Pure.

use std::cmp::Reverse;

use crate::models::Timestamp;

/// The position of a task in its lane. The smallest position starts first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LanePosition {
    pub(crate) priority: Reverse<i64>,
    pub(crate) run_at: Timestamp,
    pub(crate) seq: i64,
}

impl LanePosition {
    pub(crate) fn new(priority: i64, run_at: Timestamp, seq: i64) -> Self {
        Self {
            priority: Reverse(priority),
            run_at,
            seq,
        }
    }
}

/// What is known of a lane's first task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LaneHead {
    /// Only the database knows.
    Unknown,
    Known {
        /// The position of the first task that is due.
        due: Option<LanePosition>,
        /// When the next task becomes due. From then on the head is unknown.
        next: Option<Timestamp>,
    },
}

impl LaneHead {
    /// Returns the head of a lane that holds one task.
    pub(crate) fn of(position: LanePosition, now: Timestamp) -> Self {
        let is_due = position.run_at <= now;
        Self::Known {
            due: is_due.then_some(position),
            next: (!is_due).then_some(position.run_at),
        }
    }

    /// Returns the head of two lanes put together.
    pub(crate) fn merge(self, other: Self) -> Self {
        let (
            Self::Known { due, next },
            Self::Known {
                due: other_due,
                next: other_next,
            },
        ) = (self, other)
        else {
            return Self::Unknown;
        };
        Self::Known {
            due: due.into_iter().chain(other_due).min(),
            next: next.into_iter().chain(other_next).min(),
        }
    }

    /// Returns the head as far as it is still known at `now`.
    pub(crate) fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Known {
                next: Some(next), ..
            } if next <= now => Self::Unknown,
            known => known,
        }
    }

    /// Returns false only if it is known that no task of the lane is due at `now`.
    pub(crate) fn may_be_due(self, now: Timestamp) -> bool {
        match self.at(now) {
            Self::Unknown => true,
            Self::Known { due, .. } => due.is_some(),
        }
    }
}
