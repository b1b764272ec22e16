//! What a worker hears from Redis, and how that wakes its loops.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::hive::cluster::member::Inbox;
use crate::hive::redis::connection::Ear;
use crate::hive::redis::keys;

/// What a worker hears: it wakes the loops.
pub(crate) struct Listener {
    pub(crate) waker: Arc<Waker>,
    pub(crate) inbox: Inbox,
}

/// Wakes the loops of a worker.
pub(crate) struct Waker {
    pub(crate) queues: Vec<String>,
    /// There may be jobs.
    pub(crate) jobs: Notify,
    /// A job may have to be aborted, or claims may have been lost.
    pub(crate) care: Notify,
}

impl Ear for Listener {
    fn written_keys(&self) -> Vec<String> {
        let queues = self.waker.queues.iter();
        let keys = queues.flat_map(|queue| [queue.clone(), format!("{queue}{}", keys::HEALTH)]);
        keys.chain([keys::ABORT.to_owned()]).collect()
    }

    fn keys(&self) -> Vec<String> {
        let abort = keys::ABORT.to_owned();
        self.waker.queues.iter().cloned().chain([abort]).collect()
    }

    fn hear(&self, key: &str, event: &[u8]) {
        if !matches!(event, b"zadd" | b"zincr") {
            return;
        }
        // A mark of an abort is for a running job, or for one that was passed over until its mark is there.
        if key == keys::ABORT {
            self.waker.care.notify_one();
        }
        self.waker.jobs.notify_one();
    }

    fn order(&self, payload: &[u8]) {
        self.inbox.hear(payload);
    }

    async fn connected(&self) {
        self.waker.care.notify_one();
        self.waker.jobs.notify_one();
    }

    async fn away(&self, reason: String) {
        tracing::warn!(%reason, "Redis is away; running jobs go on");
    }

    async fn refusing(&self, reason: String) {
        tracing::warn!(%reason, "Redis refuses what a worker needs; running jobs go on");
    }
}
