//! Ways to run a task: the [`Processor`] trait, what a processor is given, and the configured set.
//!
//! A processor knows nothing of rows, queues and limits. It gets a [`Context`], answers with a result
//! or an error, and leaves promptly when [`Context::stopped`] resolves; the executor decides what
//! the answer means.

mod command;
mod context;
mod echo;
mod hive;
mod http;
mod llm;
mod log_book;
mod registry;
mod text;
mod webhook;
pub(crate) mod worker;

use futures_util::future::BoxFuture;

pub(crate) use command::{die_with, kill_orphans, remember_file_limit};
pub(crate) use context::{Context, Remote, Sent};
pub(crate) use hive::Carrier;
pub(crate) use registry::{Entry, Registry};
pub(crate) use text::without_nul;

use crate::models::Timestamp;

/// A way to run a task.
pub(crate) trait Processor: Send + Sync + 'static {
    /// Runs one attempt and answers with its result.
    ///
    /// When [`Context::stopped`] resolves, the future cleans up and returns; what it returns then is
    /// not used. If it is dropped instead, nothing that it started may go on running.
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>>;

    /// Whether its tasks run elsewhere and go on without the service. Then it keeps their time itself
    /// ([`Context::limit`]), and a stop of the service leaves them at once ([`Context::is_left_running`]).
    fn is_remote(&self) -> bool {
        false
    }
}

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
