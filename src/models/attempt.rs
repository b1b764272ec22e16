//! An attempt: one run of a task by its processor, from the claim to the outcome.

use std::time::Duration;

use super::{Failure, TaskId, Timestamp};

/// Identifies one run of one task. Every write about a running task is guarded by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    /// The task's row number.
    pub(crate) seq: i64,
    pub(crate) task_id: TaskId,
    /// The first attempt is 1.
    pub(crate) number: i64,
}

/// A task whose row is PROCESSING. The holder of this value runs it.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedTask {
    pub(crate) attempt: Attempt,
    pub(crate) content: String,
    /// The name in the row, which may not be configured.
    pub(crate) processor: String,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) terms: Terms,
}

/// The limits of a task for its own attempts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    /// Attempts that count at most.
    pub(crate) max_attempts: i64,
    /// Attempts so far that do not count.
    pub(crate) uncounted: i64,
    /// Time limit of one attempt; `None`: that of the processor.
    pub(crate) timeout: Option<Duration>,
    /// Whether the task has dependencies, whose results its processor may read.
    pub(crate) has_upstream: bool,
    /// Set if an outside worker runs the attempt.
    pub(crate) lease: Option<Lease>,
}

/// The lease of an outside worker on an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Time without a heartbeat after which the worker loses the attempt.
    pub(crate) length: Duration,
    pub(crate) origin: LeaseOrigin,
}

/// Where a lease comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseOrigin {
    /// A claim request of a worker that waits.
    Offer(OfferId),
    /// The attempt began at this time, before the last start of the service.
    Restart(Timestamp),
}

/// Identifies a waiting claim request of an outside worker.
pub(crate) type OfferId = u64;

impl Terms {
    /// Returns how many attempts count, up to and including number `number`.
    pub(crate) fn counted(&self, number: i64) -> i64 {
        number - self.uncounted
    }
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed {
        result: String,
    },
    Failed {
        failure: Failure,
        error: String,
    },
    /// The task becomes PENDING again.
    Reschedule(Reschedule),
}

/// Why a task becomes PENDING again, and when it may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reschedule {
    /// Completes "Attempt 1 …".
    pub(crate) because: String,
    /// The error of a failed attempt. An attempt without an error does not count.
    pub(crate) error: Option<String>,
    /// Earliest time of the next attempt; `None`: at once.
    pub(crate) run_at: Option<Timestamp>,
    /// Time until which the whole processor is deferred.
    pub(crate) hold: Option<Timestamp>,
}

impl Reschedule {
    /// The attempt was interrupted by a shutdown.
    pub(crate) fn stopped() -> Self {
        Self::uncounted("was interrupted by a stop of the service")
    }

    /// The attempt ended through no fault of the task, and does not count.
    pub(crate) fn uncounted(because: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            error: None,
            run_at: None,
            hold: None,
        }
    }
}
