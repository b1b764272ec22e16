//! A consistent snapshot of pending and running tasks, for metrics and for the page. Plain data.

use std::collections::HashMap;

use crate::models::QueueStatus;
use crate::state::dispatch::explain::ProcessorStatus;

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
