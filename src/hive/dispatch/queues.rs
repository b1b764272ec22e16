//! The two queues in Redis and the expiry of a queued job.

use std::time::Duration;

/// How long a job may be queued before its body expires, as ARQ has it.
pub(crate) const EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);
/// The names of the two queues.
#[derive(Clone)]
pub(crate) struct QueueNames {
    pub(crate) high: String,
    pub(crate) background: String,
}
