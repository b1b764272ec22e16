//! Handles Redis connection events of a worker: wakes the poller and the heartbeat.

use std::sync::Arc;

use tokio::sync::Notify;

use crate::hive::cluster::inbox::CommandInbox;
use crate::hive::redis::keys;
use crate::hive::redis::listener::RedisListener;

/// Handles the connection's events for a worker.
pub(crate) struct WorkerListener {
    pub(crate) wakeups: Arc<Wakeups>,
    pub(crate) inbox: CommandInbox,
}

/// Wakes the loops of a worker.
pub(crate) struct Wakeups {
    pub(crate) queues: Vec<String>,
    /// There may be ready jobs.
    pub(crate) jobs: Notify,
    /// A job may have to be aborted, or claims may have been lost.
    pub(crate) heartbeat: Notify,
}

impl RedisListener for WorkerListener {
    fn written_keys(&self) -> Vec<String> {
        let queues = self.wakeups.queues.iter();
        let keys = queues.flat_map(|queue| [queue.clone(), format!("{queue}{}", keys::HEALTH)]);
        keys.chain([keys::ABORT.to_owned()]).collect()
    }

    fn watched_keys(&self) -> Vec<String> {
        let abort = keys::ABORT.to_owned();
        self.wakeups.queues.iter().cloned().chain([abort]).collect()
    }

    fn on_key_event(&self, key: &str, event: &[u8]) {
        if !matches!(event, b"zadd" | b"zincr") {
            return;
        }
        // An abort mark is for a running job, or for a skipped one that waits for its mark.
        if key == keys::ABORT {
            self.wakeups.heartbeat.notify_one();
        }
        self.wakeups.jobs.notify_one();
    }

    fn on_command(&self, payload: &[u8]) {
        self.inbox.receive(payload);
    }

    async fn on_connected(&self) {
        self.wakeups.heartbeat.notify_one();
        self.wakeups.jobs.notify_one();
    }

    async fn on_unreachable(&self, reason: String) {
        tracing::warn!(%reason, "Redis is unreachable; running jobs continue");
    }

    async fn on_refusing(&self, reason: String) {
        tracing::warn!(%reason, "Redis refuses what a worker needs; running jobs continue");
    }
}
