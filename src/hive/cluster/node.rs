//! The record that a node writes about itself every few seconds.
//!
//! The record expires soon after the last report: then the node is silent. The last record is kept for an hour
//! longer, so that the list can show which nodes are missing.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hive::cluster::command::MESSAGE_LIMIT;
use crate::hive::redis::keys::NodeKeys;
use crate::models::Timestamp;

/// The interval between two reports.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// A node without a report for this time is silent.
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// The number of characters of a name that are kept.
pub(crate) const NAME_CHARS: usize = 100;

/// The kind of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NodeKind {
    /// It has a queue of its own and sends tasks to workers.
    Service,
    /// It runs jobs.
    Worker,
}

impl NodeKind {
    /// Returns the name for messages.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Worker => "worker",
        }
    }
}

/// What a node reports about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Node {
    /// The id, random at each start.
    pub(crate) id: String,
    /// The host's name, or the configured one.
    pub(crate) name: String,
    pub(crate) kind: NodeKind,
    /// The version of the program.
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// The number of running tasks.
    pub(crate) running: u64,
    /// The host's load average of the last minute; `null` if unknown.
    #[schema(required)]
    pub(crate) load: Option<f64>,
    /// The maximum number of running tasks; `null` without a limit.
    #[schema(required)]
    pub(crate) max: Option<u64>,
    pub(crate) started_at: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// True if the node starts no tasks.
    pub(crate) paused: bool,
}

/// The reply to a report.
pub(crate) struct ReportReply {
    /// The command in force, if any.
    pub(crate) order: Option<Vec<u8>>,
    /// Why Redis refused the record, if it did.
    pub(crate) refusal: Option<String>,
}

impl Node {
    /// Describes this process before it runs anything.
    pub(crate) fn of_this_process(kind: NodeKind, name: &str) -> Self {
        let now = Timestamp::now();
        Self {
            id: uuid::Uuid::new_v4().simple().to_string(),
            name: name.chars().take(NAME_CHARS).collect(),
            kind,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            running: 0,
            load: load(),
            max: None,
            started_at: now,
            last_seen: now,
            paused: false,
        }
    }

    /// Writes the node's record and reads the command in force.
    ///
    /// # Errors
    /// If Redis does not answer or refuses it.
    pub(crate) async fn report(
        &mut self,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> Result<ReportReply, RedisError> {
        self.last_seen = Timestamp::now();
        self.load = load();
        let record = serde_json::to_string(self).expect("texts and numbers always encode");
        Script::new(include_str!("lua/report.lua"))
            .key(keys.record(&self.id))
            .key(&keys.nodes)
            .key(&keys.last_words)
            .key(&keys.order)
            .arg(&self.id)
            .arg(record)
            .arg(SILENT_AFTER.as_millis() as u64)
            .arg(MESSAGE_LIMIT)
            .invoke_async(connection)
            .await
            .map(|(order, refusal)| ReportReply { order, refusal })
    }

    /// Removes the node from the list, so that nobody reports it missing.
    ///
    /// # Errors
    /// If Redis does not answer or refuses it.
    pub(crate) async fn leave(
        &self,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> Result<(), RedisError> {
        redis::pipe()
            .atomic()
            .del(keys.record(&self.id))
            .zrem(&keys.nodes, &self.id)
            .hdel(&keys.last_words, &self.id)
            .query_async(connection)
            .await
    }
}

/// Returns the name of the host.
pub(crate) fn host_name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// Returns the load average of the last minute, if the system has it in a file.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
