//! The [`Processor`] trait.

use futures_util::future::BoxFuture;

use super::context::Context;
use super::run_error::RunError;

/// A way to run a task.
pub(crate) trait Processor: Send + Sync + 'static {
    /// Runs one attempt and returns its result.
    ///
    /// When [`Context::stopped`] resolves, the future cleans up and returns; the caller ignores the return value. If
    /// the caller drops it instead, nothing that it started may continue.
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>>;

    /// Returns true if its tasks run elsewhere and continue without the service. Then it enforces their timeout
    /// itself ([`Context::limit`]), and returns at once when the service stops ([`Context::is_left_running`]).
    fn is_remote(&self) -> bool {
        false
    }
}
