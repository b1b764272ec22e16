//! What a run of a program asks of its attempt: the log, the progress and the request to stop.
//!
//! [`Context`] is it in the service; tests put a recorder in its place.

use crate::processors::context::Context;
use crate::terminal::OutputLine;

/// The receiver of everything that a run reports.
pub(crate) trait Host: Sync {
    fn log(&self, line: OutputLine) -> impl Future<Output = ()> + Send;
    /// Shows how a line stands that has not ended.
    fn live_line(&self, line: OutputLine) -> impl Future<Output = ()> + Send;
    fn progress(&self, progress: f64) -> impl Future<Output = ()> + Send;
    /// Resolves when the run has to end, and at once from then on.
    fn stopped(&self) -> impl Future<Output = ()> + Send;
}

impl Host for Context {
    async fn log(&self, line: OutputLine) {
        Context::log_line(self, line).await;
    }

    async fn live_line(&self, line: OutputLine) {
        Context::live_line(self, line).await;
    }

    async fn progress(&self, progress: f64) {
        Context::progress(self, progress).await;
    }

    async fn stopped(&self) {
        Context::stopped(self).await;
    }
}
