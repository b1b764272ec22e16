//! Why an attempt has no result ([`RunError`]), and what should become of its task ([`Next`]).
//!
//! A processor decides nothing about rows, queues and limits: it names what should happen next, and the executor
//! does it.

use crate::models::Timestamp;

/// Why an attempt has no result: a sentence for the task's `error`, and what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct RunError {
    pub(crate) message: String,
    pub(crate) next: Next,
}

/// What becomes of a task whose attempt has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt, if the task has one left.
    Retry,
    /// The same, but not before this time, and not before the pause of the processor's own.
    RetryAt(Timestamp),
    /// None: it would fail again.
    GiveUp,
    /// The attempt does not count, and the whole processor starts nothing until then.
    Hold(Timestamp),
    /// The attempt does not count; another may begin at once.
    Uncounted,
    /// The attempt has taken longer than it may: another, if the task has one left.
    TimedOut,
    /// Another attempt, if the task has one left; without one the task is `lost`: whoever ran it has
    /// gone silent.
    Lost,
    /// Said when it is stopped: whoever runs the attempt outside can go on with it without the service. If
    /// only the service stops, the next start takes the attempt up again.
    GoesOn,
    /// None: the result of a task that it waited for is missing.
    NoInput,
}

impl RunError {
    /// An error that another attempt may not meet.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::with(message, Next::Retry)
    }

    /// The result of a task that this one waited for is missing.
    pub(crate) fn no_input(message: impl Into<String>) -> Self {
        Self::with(message, Next::NoInput)
    }

    pub(crate) fn with(message: impl Into<String>, next: Next) -> Self {
        Self {
            message: message.into(),
            next,
        }
    }
}
