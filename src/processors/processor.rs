//! What every processor is: the [`Processor`] trait.

use futures_util::future::BoxFuture;

use super::context::Context;
use super::run_error::RunError;

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
