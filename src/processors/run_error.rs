//! Why an attempt has no result ([`RunError`]), and what happens to its task ([`Next`]).
//!
//! A processor decides nothing about rows, queues and limits: it names the next step, and the executor takes it.

use crate::models::Timestamp;

/// Why an attempt has no result: a sentence for the task's `error`, and the next step.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct RunError {
    pub(crate) message: String,
    pub(crate) next: Next,
}

/// The next step for a task whose attempt has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Another attempt, if the task has one left.
    Retry,
    /// Another attempt, not before this time and not before the processor's own retry delay.
    RetryAt(Timestamp),
    /// No other attempt: it would fail too.
    GiveUp,
    /// The attempt does not count, and the whole processor starts nothing until then.
    Hold(Timestamp),
    /// The attempt does not count; another may start at once.
    Uncounted,
    /// The attempt has timed out: another, if the task has one left.
    TimedOut,
    /// Another attempt, if the task has one left; without one the task is `lost`: its worker sends no heartbeats.
    Lost,
    /// The answer to a stop by a processor whose attempts continue without the service. If only the service stops,
    /// its next start resumes the attempt.
    GoesOn,
    /// No other attempt: the result of a dependency is missing.
    NoInput,
}

impl RunError {
    /// Creates an error that another attempt may avoid.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self::with(message, Next::Retry)
    }

    /// Creates the error of a missing result of a dependency.
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
