//! The wait between two attempts to reconnect to a service that was reachable before.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// Exponential backoff: each wait is twice as long as the one before, up to five seconds.
pub(crate) struct ReconnectBackoff(Duration);

impl ReconnectBackoff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    /// Waits until the next attempt.
    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0).await;
        self.0 = (self.0 * 2).min(LONGEST);
    }
}
