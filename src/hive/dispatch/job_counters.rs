//! Counts this service's jobs by how they ended.

use std::sync::atomic::AtomicU64;

/// The jobs that have ended since the service started.
#[derive(Default)]
pub(crate) struct JobCounters {
    /// Jobs with a result.
    pub(crate) completed: AtomicU64,
    /// Jobs that failed, were lost or timed out; not those that were aborted.
    pub(crate) failed: AtomicU64,
}
