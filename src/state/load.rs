//! What waits and runs at one moment, for whoever watches.

use std::collections::HashMap;

use super::explain::ProcessorStatus;
use super::handle::StateManager;
use super::ready::DueTask;
use super::request::Order;
use super::writer::Writer;
use super::{Error, waiting};
use crate::models::{QueueStatus, Timestamp};

/// The queue at one moment: all numbers fit together.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) status: QueueStatus,
    /// Tasks that wait for other tasks.
    pub(crate) blocked: u64,
    pub(crate) processors: HashMap<String, ProcessorStatus>,
    /// For how many seconds the task has been due that has been due longest, by processor.
    pub(crate) oldest_due_seconds: HashMap<String, f64>,
}

impl Writer {
    pub(crate) fn load(&self, oldest: &[(String, DueTask)], now: Timestamp) -> Load {
        let mut oldest_due_seconds = HashMap::new();
        for (processor, task) in oldest {
            let seconds = now.seconds_since(self.ready.since(task)).max(0.0);
            let longest: &mut f64 = oldest_due_seconds.entry(processor.clone()).or_default();
            *longest = longest.max(seconds);
        }
        Load {
            status: self.ledger.status(),
            blocked: self.ledger.blocked,
            processors: self.ledger.processors(now),
            oldest_due_seconds,
        }
    }
}

impl StateManager {
    /// What waits and runs.
    ///
    /// # Errors
    /// When it cannot be read, or the Writer is gone.
    pub(crate) async fn load(&self) -> Result<Load, Error> {
        let now = Timestamp::now().to_string();
        let oldest = waiting::oldest_due(&self.read, &now).await?;
        self.ask(|reply| Order::Load(oldest, reply)).await
    }
}
