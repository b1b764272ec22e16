//! The interface of a running program to its attempt: the log, the progress and the request to stop.
//!
//! In the service, [`Context`] implements it; in tests, a recorder.

use crate::processors::context::Context;
use crate::terminal::OutputLine;

/// The receiver of everything that a run reports.
pub(crate) trait Host: Sync {
    fn log(&self, line: OutputLine) -> impl Future<Output = ()> + Send;
    /// Shows an unfinished line.
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
