//! The two queues in Redis, and how long a job waits there.

use std::time::Duration;

/// How long a job may wait for a worker: its body expires then, as ARQ has it.
pub(crate) const EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);
/// The names of the two queues.
#[derive(Clone)]
pub(crate) struct QueueNames {
    pub(crate) high: String,
    pub(crate) background: String,
}
