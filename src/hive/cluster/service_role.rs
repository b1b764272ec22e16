//! A service as a node: orders are for its queue, and its journal tells which other nodes come and go.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::hive::cluster::command::{Command, Pause};
use crate::hive::cluster::member::{Condition, Failure, Role};
use crate::hive::cluster::node;
use crate::hive::cluster::node::{Listed, News, REPORT_INTERVAL, Watch};
use crate::hive::redis::keys::NodeKeys;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::state::{Error, PauseRequest, StateManager};

/// What a pause says of itself.
const REASON: &str = "by the Hive";
/// How long nobody is missed after Redis was away: others have to find it again and to report first.
const GRACE: Duration = Duration::from_secs(15);

/// News of nodes that one look journals.
const NEWS_AT_ONCE: usize = 20;

/// The part that a service plays.
pub(crate) struct ServiceRole {
    state: StateManager,
    queue: QueueManager,
    registry: Arc<Registry>,
    sight: Mutex<Sight>,
}

/// What it sees of the others.
struct Sight {
    watch: Watch,
    last: Instant,
    grace_ends: Instant,
}

impl ServiceRole {
    pub(crate) fn new(state: StateManager, queue: QueueManager, registry: Arc<Registry>) -> Self {
        let now = Instant::now();
        Self {
            state,
            queue,
            registry,
            sight: Mutex::new(Sight {
                watch: Watch::default(),
                last: now,
                grace_ends: now,
            }),
        }
    }

    /// Journals what is new. Whoever can write to Redis can make up nodes: what is too much is told next time.
    async fn tell(&self, watch: &mut Watch, nodes: &[Listed], may_miss: bool) {
        let news = watch.compare(nodes, may_miss);
        for news in news.into_iter().take(NEWS_AT_ONCE) {
            match self.journal(&news).await {
                Ok(()) => watch.note(&news),
                // The next look finds it again.
                Err(error) => tracing::debug!(%error, "news of the Hive were not stored"),
            }
        }
    }

    async fn journal(&self, news: &News) -> Result<(), Error> {
        let (level, sentence, node) = news.words();
        let data = json!({ "node": node.id, "name": node.name, "kind": node.kind });
        self.state.tell(level, sentence, data).await
    }

    fn knows(&self, processor: Option<&String>) -> bool {
        processor.is_none_or(|name| self.registry.get(name).is_some())
    }
}

impl Role for ServiceRole {
    async fn obey(&self, command: Command) -> Result<(), Failure> {
        match command {
            Command::Pause(pause) if self.knows(pause.processor.as_ref()) => {
                self.queue.pause(request(pause)).await?;
            }
            // Not for this node.
            Command::Pause(_) => {}
            Command::Resume(resume) => drop(self.queue.resume(resume.processor).await?),
            Command::EmergencyStop => {
                self.queue.emergency_stop().await?;
            }
            Command::Status => {}
        }
        Ok(())
    }

    async fn stay_stopped(&self) -> Result<(), Failure> {
        // Without the purge that ends one.
        self.state.begin_emergency_stop().await?;
        Ok(())
    }

    async fn condition(&self) -> Result<Condition, Failure> {
        let status = self.queue.status().await?;
        Ok(Condition {
            running: status.active,
            max: status.limit,
            paused: status.paused,
        })
    }

    async fn known_order(&self) -> Result<Option<String>, Failure> {
        Ok(self.state.hive_order().await?)
    }

    async fn note_order(&self, order: &str) -> Result<(), Failure> {
        Ok(self.state.note_hive_order(order.to_owned()).await?)
    }

    async fn look_around(
        &self,
        own_id: &str,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> Result<(), Failure> {
        let mut others = node::list(connection, keys).await?;
        others.retain(|listed| listed.node.id != own_id);
        let mut sight = self.sight.lock().await;
        if sight.last.elapsed() > 2 * REPORT_INTERVAL {
            sight.grace_ends = Instant::now() + GRACE;
        }
        sight.last = Instant::now();
        let may_miss = sight.last >= sight.grace_ends;
        self.tell(&mut sight.watch, &others, may_miss).await;
        Ok(())
    }
}

fn request(pause: Pause) -> PauseRequest {
    let reason = match pause.reason {
        None => REASON.to_owned(),
        Some(reason) => format!("{REASON}: {reason}"),
    };
    PauseRequest {
        processor: pause.processor,
        until: pause.until,
        reason: Some(reason),
    }
}
