//! The offer of an outside worker to run tasks, which lasts while its claim request waits. Plain data.

use std::sync::Arc;

use crate::models::OfferId;

/// A claim request of an outside worker that still waits for tasks.
#[derive(Clone, Debug)]
pub(crate) struct PollSlot {
    pub(crate) id: OfferId,
    pub(crate) processors: Arc<[String]>,
    /// Number of tasks that the worker still takes.
    pub(crate) left: u64,
}

impl PollSlot {
    /// Returns whether the worker takes tasks of this processor.
    pub(crate) fn serves(&self, processor: &str) -> bool {
        self.processors.iter().any(|name| name == processor)
    }
}
