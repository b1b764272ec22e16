//! A snapshot of the queue for metrics and for the page: pending and running tasks at one moment.

use std::collections::HashMap;

use crate::models::{QueueStatus, Timestamp};
use crate::state::dispatch::due_since::DueKey;
use crate::state::dispatch::due_sql;
use crate::state::dispatch::explain::ProcessorStatus;
use crate::state::error::Error;
use crate::state::store::StateManager;
use crate::state::writer::message::Order;
use crate::state::writer::run::Writer;

/// The queue at one moment. All numbers belong to the same state.
#[derive(Debug)]
pub(crate) struct QueueSnapshot {
    pub(crate) status: QueueStatus,
    /// Number of tasks that are blocked by dependencies.
    pub(crate) blocked: u64,
    pub(crate) processors: HashMap<String, ProcessorStatus>,
    /// Age in seconds of the oldest ready task, by processor.
    pub(crate) oldest_due_seconds: HashMap<String, f64>,
}

impl Writer {
    pub(crate) fn load(&self, oldest: &[(String, DueKey)], now: Timestamp) -> QueueSnapshot {
        let mut oldest_due_seconds = HashMap::new();
        for (processor, task) in oldest {
            let seconds = now.seconds_since(self.due_since.get(task)).max(0.0);
            let longest: &mut f64 = oldest_due_seconds.entry(processor.clone()).or_default();
            *longest = longest.max(seconds);
        }
        QueueSnapshot {
            status: self.queue_state.status(),
            blocked: self.queue_state.blocked,
            processors: self.queue_state.processors(now),
            oldest_due_seconds,
        }
    }
}

impl StateManager {
    /// What waits and runs.
    ///
    /// # Errors
    /// When it cannot be read, or the Writer is gone.
    pub(crate) async fn load(&self) -> Result<QueueSnapshot, Error> {
        let now = Timestamp::now().to_string();
        let oldest = due_sql::oldest_due(&self.read, &now).await?;
        self.ask(|reply| Order::QueueSnapshot(oldest, reply)).await
    }
}
