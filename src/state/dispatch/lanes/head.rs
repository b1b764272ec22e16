//! What is known of the first task of a lane.

use std::cmp::Reverse;

use crate::models::Timestamp;

/// A task's place in its lane; the least is the first to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) priority: Reverse<i64>,
    pub(crate) run_at: Timestamp,
    pub(crate) seq: i64,
}

impl Place {
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
    /// Somebody has to look.
    Unknown,
    Known {
        /// Where the first of the tasks that are due stands.
        due: Option<Place>,
        /// When the next of the others is due; from then on the front is unknown.
        next: Option<Timestamp>,
    },
}

impl LaneHead {
    pub(crate) fn of(place: Place, now: Timestamp) -> Self {
        let is_due = place.run_at <= now;
        Self::Known {
            due: is_due.then_some(place),
            next: (!is_due).then_some(place.run_at),
        }
    }

    /// The front when the tasks of another front have come.
    pub(crate) fn with(self, other: Self) -> Self {
        let (
            Self::Known { due, next },
            Self::Known {
                due: came,
                next: later,
            },
        ) = (self, other)
        else {
            return Self::Unknown;
        };
        Self::Known {
            due: due.into_iter().chain(came).min(),
            next: next.into_iter().chain(later).min(),
        }
    }

    /// The front as far as it is still known at `now`.
    pub(crate) fn at(self, now: Timestamp) -> Self {
        match self {
            Self::Known {
                next: Some(next), ..
            } if next <= now => Self::Unknown,
            known => known,
        }
    }

    /// Whether something may start at `now`.
    pub(crate) fn may_be_due(self, now: Timestamp) -> bool {
        match self.at(now) {
            Self::Unknown => true,
            Self::Known { due, .. } => due.is_some(),
        }
    }
}
