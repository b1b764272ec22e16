//! Ways to run a task: the [`Processor`] trait, what a processor is given, and the configured set.
//!
//! A processor knows nothing of rows, queues and limits. It gets a [`Context`], answers with a result
//! or an error, and leaves promptly when [`Context::stopped`] resolves; the executor decides what
//! the answer means.

mod command;
mod context;
mod echo;
mod registry;

use futures_util::future::BoxFuture;

pub use command::kill_orphans;
pub use context::Context;
pub use registry::Registry;

/// A way to run a task.
pub trait Processor: Send + Sync + 'static {
    /// Runs one attempt and answers with its result.
    ///
    /// When [`Context::stopped`] resolves, the future cleans up and returns; what it returns then is
    /// not used. If it is dropped instead, nothing that it started may go on running.
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>>;
}

/// Why an attempt failed, in a sentence for the task's `error`.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RunError(pub String);
