//! A service as a node: commands concern its queue, and its journal records which other nodes join and leave.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::hive::cluster::command::{ClusterCommand, PauseCommand};
use crate::hive::cluster::node::REPORT_INTERVAL;
use crate::hive::cluster::node_list;
use crate::hive::cluster::node_list::ListedNode;
use crate::hive::cluster::node_watch::{NodeChange, NodeWatch};
use crate::hive::cluster::role::{NodeCondition, NodeError, NodeRole};
use crate::hive::redis::keys::NodeKeys;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::state::{Error, PauseQueue, StateManager};

/// The reason of a pause that a command of the Hive started.
const REASON: &str = "by the Hive";
/// After an outage of Redis, no node counts as silent for this time, since all must reconnect and report first.
const GRACE: Duration = Duration::from_secs(15);

/// The maximum number of node changes that one report journals.
const CHANGES_AT_ONCE: usize = 20;

/// The role of a service.
pub(crate) struct ServiceRole {
    state: StateManager,
    queue: QueueManager,
    registry: Arc<Registry>,
    sight: Mutex<Sight>,
}

/// The service's view of the other nodes.
struct Sight {
    watch: NodeWatch,
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
                watch: NodeWatch::default(),
                last: now,
                grace_ends: now,
            }),
        }
    }

    /// Journals changes, a bounded number at a time: any client of Redis can make up nodes. The next report finds the
    /// rest.
    async fn journal_changes(&self, watch: &mut NodeWatch, nodes: &[ListedNode], may_miss: bool) {
        let news = watch.compare(nodes, may_miss);
        for news in news.into_iter().take(CHANGES_AT_ONCE) {
            match self.journal(&news).await {
                Ok(()) => watch.note(&news),
                // The next report finds it again.
                Err(error) => {
                    tracing::debug!(%error, "could not store a change of the Hive's nodes");
                }
            }
        }
    }

    async fn journal(&self, news: &NodeChange) -> Result<(), Error> {
        let (level, sentence, node) = news.describe();
        let data = json!({ "node": node.id, "name": node.name, "kind": node.kind });
        self.state.tell(level, sentence, data).await
    }

    fn knows(&self, processor: Option<&String>) -> bool {
        processor.is_none_or(|name| self.registry.get(name).is_some())
    }
}

impl NodeRole for ServiceRole {
    async fn run_command(&self, command: ClusterCommand) -> Result<(), NodeError> {
        match command {
            ClusterCommand::Pause(pause) if self.knows(pause.processor.as_ref()) => {
                self.queue.pause(request(pause)).await?;
            }
            // The command is not for this node.
            ClusterCommand::Pause(_) => {}
            ClusterCommand::Resume(resume) => drop(self.queue.resume(resume.processor).await?),
            ClusterCommand::EmergencyStop => {
                self.queue.emergency_stop().await?;
            }
            ClusterCommand::Status => {}
        }
        Ok(())
    }

    async fn stay_stopped(&self) -> Result<(), NodeError> {
        // The pause of an emergency stop, without its purge.
        self.state.begin_emergency_stop().await?;
        Ok(())
    }

    async fn condition(&self) -> Result<NodeCondition, NodeError> {
        let status = self.queue.status().await?;
        Ok(NodeCondition {
            running: status.active,
            max: status.limit,
            paused: status.paused,
        })
    }

    async fn last_command(&self) -> Result<Option<String>, NodeError> {
        Ok(self.state.hive_order().await?)
    }

    async fn store_last_command(&self, order: &str) -> Result<(), NodeError> {
        Ok(self.state.note_hive_order(order.to_owned()).await?)
    }

    async fn after_report(
        &self,
        own_id: &str,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> Result<(), NodeError> {
        let mut others = node_list::list(connection, keys).await?;
        others.retain(|listed| listed.node.id != own_id);
        let mut sight = self.sight.lock().await;
        if sight.last.elapsed() > 2 * REPORT_INTERVAL {
            sight.grace_ends = Instant::now() + GRACE;
        }
        sight.last = Instant::now();
        let may_miss = sight.last >= sight.grace_ends;
        self.journal_changes(&mut sight.watch, &others, may_miss)
            .await;
        Ok(())
    }
}

fn request(pause: PauseCommand) -> PauseQueue {
    let reason = match pause.reason {
        None => REASON.to_owned(),
        Some(reason) => format!("{REASON}: {reason}"),
    };
    PauseQueue {
        processor: pause.processor,
        until: pause.until,
        reason: Some(reason),
    }
}
