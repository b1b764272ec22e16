//! One run of a task by its processor: what is handed out at a claim and what comes back.

use std::time::Duration;

use super::{Failure, TaskId, Timestamp};

/// Which run of which task: the guard of everything that is written about a running task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Attempt {
    /// The task's row number.
    pub(crate) seq: i64,
    pub(crate) task_id: TaskId,
    /// The first attempt is 1.
    pub(crate) number: i64,
}

/// A task whose row has become PROCESSING; whoever holds this runs it.
#[derive(Clone, Debug)]
pub(crate) struct ClaimedTask {
    pub(crate) attempt: Attempt,
    pub(crate) content: String,
    /// A name from the row: not necessarily one that is configured.
    pub(crate) processor: String,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) terms: Terms,
}

/// What a task says of its own attempts.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Terms {
    /// At most this many attempts count.
    pub(crate) max_attempts: i64,
    /// How many of those so far do not.
    pub(crate) uncounted: i64,
    /// Time for one attempt; `None` stands for the processor's own.
    pub(crate) timeout: Option<Duration>,
    /// Whether it waited for other tasks, whose results are its processor's to read.
    pub(crate) has_upstream: bool,
    /// Set for an attempt that an outside worker runs.
    pub(crate) lease: Option<Lease>,
}

/// The terms on which an outside worker has an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// The worker loses the attempt when it is silent for this long.
    pub(crate) length: Duration,
    pub(crate) origin: LeaseOrigin,
}

/// How the service knows of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaseOrigin {
    /// The attempt answers this offer.
    Offer(OfferId),
    /// The attempt began at this time, before the service started.
    Restart(Timestamp),
}

/// Names what an outside worker has asked for, while it waits.
pub(crate) type OfferId = u64;

impl Terms {
    /// How many attempts count, up to and with number `number`.
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
    /// The task waits again.
    Again(Again),
}

/// Why a task waits again, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// Completes "Attempt 1 …".
    pub(crate) because: String,
    /// The error of an attempt that failed; an attempt without one does not count.
    pub(crate) error: Option<String>,
    /// Not before this time; `None` stands for at once.
    pub(crate) run_at: Option<Timestamp>,
    /// The whole processor starts nothing until then.
    pub(crate) hold: Option<Timestamp>,
}

impl Again {
    /// Interrupted by a clean stop.
    pub(crate) fn stopped() -> Self {
        Self::uncounted("was interrupted by a stop of the service")
    }

    /// An attempt that ended through nobody's fault, and does not count.
    pub(crate) fn uncounted(because: impl Into<String>) -> Self {
        Self {
            because: because.into(),
            error: None,
            run_at: None,
            hold: None,
        }
    }
}
