//! One run of a task by its processor: what is handed out at a claim and what comes back.

use std::time::Duration;

use super::{Failure, TaskId, Timestamp};

/// Which run of which task: the guard of everything that is written about a running task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The task's row number.
    pub seq: i64,
    pub task_id: TaskId,
    /// The first attempt is 1.
    pub number: i64,
}

/// A task whose row has become PROCESSING; whoever holds this runs it.
#[derive(Clone, Debug)]
pub struct ClaimedTask {
    pub attempt: Attempt,
    pub content: String,
    /// A name from the row: not necessarily one that is configured.
    pub processor: String,
    pub concurrency_key: Option<String>,
    pub terms: Terms,
}

/// What a task says of its own attempts.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// At most this many attempts count.
    pub max_attempts: i64,
    /// How many of those so far do not.
    pub uncounted: i64,
    /// Time for one attempt; `None` stands for the processor's own.
    pub timeout: Option<Duration>,
    /// Whether it waited for other tasks, whose results are its processor's to read.
    pub has_upstream: bool,
    /// Set for an attempt that an outside worker runs.
    pub lease: Option<Lease>,
}

/// The terms on which an outside worker has an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The worker loses the attempt when it is silent for this long.
    pub length: Duration,
    pub origin: LeaseOrigin,
}

/// How the service knows of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseOrigin {
    /// The attempt answers this offer.
    Offer(OfferId),
    /// The attempt began at this time, before the service started.
    Restart(Timestamp),
}

/// Names what an outside worker has asked for, while it waits.
pub type OfferId = u64;

impl Terms {
    /// How many attempts count, up to and with number `number`.
    pub fn counted(&self, number: i64) -> i64 {
        number - self.uncounted
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Completed {
        result: String,
    },
    Failed {
        failure: Failure,
        error: String,
    },
    /// The task waits again.
    Again(Again),
}

/// Why a task waits again, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Again {
    /// Completes "Attempt 1 …".
    pub because: String,
    /// The error of an attempt that failed; an attempt without one does not count.
    pub error: Option<String>,
    /// Not before this time; `None` stands for at once.
    pub run_at: Option<Timestamp>,
    /// The whole processor starts nothing until then.
    pub hold: Option<Timestamp>,
}

impl Again {
    /// Interrupted by a clean stop.
    pub fn stopped() -> Self {
        Self::uncounted("was interrupted by a stop of the service")
    }

    /// An attempt that ended through nobody's fault, and does not count.
    pub fn uncounted(because: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            error: None,
            run_at: None,
            hold: None,
        }
    }
}
