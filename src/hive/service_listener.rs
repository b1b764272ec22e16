//! Handles Redis connection events of a service: routes updates to jobs in flight, puts commands into the inbox, and
//! tells the queue whether tasks of the Hive can start.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::hive::cluster::inbox::CommandInbox;
use crate::hive::dispatch::in_flight::InFlight;
use crate::hive::redis::keys;
use crate::hive::redis::listener::RedisListener;
use crate::models::{HiveLink, Timestamp};
use crate::state::StateManager;

/// Handles the connection's events for a service.
pub(crate) struct ServiceListener {
    pub(crate) queues: [String; 2],
    /// The current trouble and its beginning; a change of the reason keeps the beginning.
    pub(crate) since: Mutex<Option<(Trouble, Timestamp)>>,
    pub(crate) state: StateManager,
    pub(crate) in_flight: InFlight,
    /// Asks the orphan reaper to run.
    pub(crate) reap: Arc<Notify>,
    pub(crate) inbox: CommandInbox,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    Away,
    Refusing,
}

impl RedisListener for ServiceListener {
    fn written_keys(&self) -> Vec<String> {
        let queues = self.queues.iter().cloned();
        queues.chain([keys::ABORT.to_owned()]).collect()
    }

    fn watched_keys(&self) -> Vec<String> {
        [keys::RESULT, keys::IN_PROGRESS]
            .map(|key| format!("{key}*"))
            .into()
    }

    fn on_key_event(&self, key: &str, event: &[u8]) {
        self.in_flight.on_event(key, event);
    }

    fn on_command(&self, payload: &[u8]) {
        self.inbox.receive(payload);
    }

    async fn on_connected(&self) {
        *self.since() = None;
        self.store_link(HiveLink::Connected).await;
        self.in_flight.check_all();
        self.reap.notify_one();
    }

    async fn on_unreachable(&self, reason: String) {
        tracing::warn!(%reason, "Redis is unreachable; tasks of the Hive stay queued");
        let since = self.since_of(Trouble::Away);
        self.store_link(HiveLink::Away { reason, since }).await;
    }

    async fn on_refusing(&self, reason: String) {
        tracing::warn!(%reason, "Redis refuses what the Hive needs; tasks of the Hive stay queued");
        let since = self.since_of(Trouble::Refusing);
        self.store_link(HiveLink::Refusing { reason, since }).await;
    }
}

impl ServiceListener {
    fn since(&self) -> MutexGuard<'_, Option<(Trouble, Timestamp)>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when this trouble began.
    fn since_of(&self, trouble: Trouble) -> Timestamp {
        let mut since = self.since();
        match *since {
            Some((same, at)) if same == trouble => at,
            _ => since.insert((trouble, Timestamp::now())).1,
        }
    }

    async fn store_link(&self, link: HiveLink) {
        if let Err(error) = self.state.set_hive_link(link).await {
            tracing::debug!(%error, "could not store the state of the Redis connection");
        }
    }
}
