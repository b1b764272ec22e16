//! The record that a node writes about itself every few seconds.
//!
//! The record expires soon after the last report: then the node is silent. Its last words are kept for an hour longer, so
//! that the list can show who is missing.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::hive::cluster::command::MESSAGE_LIMIT;
use crate::hive::redis::keys::NodeKeys;
use crate::models::Timestamp;

/// How often a node reports.
pub(crate) const REPORT_INTERVAL: Duration = Duration::from_secs(5);
/// A node that has not reported for this time is silent.
const SILENT_AFTER: Duration = Duration::from_secs(30);
/// Characters of a name that are kept.
pub(crate) const NAME_CHARS: usize = 100;

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum NodeKind {
    /// It has a queue of its own, and sends tasks to workers.
    Service,
    /// It runs jobs.
    Worker,
}

impl NodeKind {
    /// As a person says it.
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
    /// Another one at each start.
    pub(crate) id: String,
    /// The host's name, unless it was given another.
    pub(crate) name: String,
    pub(crate) kind: NodeKind,
    /// The program's version.
    pub(crate) version: String,
    pub(crate) pid: u32,
    /// Tasks that run.
    pub(crate) running: u64,
    /// The host's load of the last minute; `null` where that is not known.
    #[schema(required)]
    pub(crate) load: Option<f64>,
    /// The most tasks that may run at once; `null` without limit.
    #[schema(required)]
    pub(crate) max: Option<u64>,
    pub(crate) started_at: Timestamp,
    pub(crate) last_seen: Timestamp,
    /// Whether it starts nothing.
    pub(crate) paused: bool,
}

/// What a report has found.
pub(crate) struct ReportReply {
    /// The command in force, if there is one.
    pub(crate) order: Option<Vec<u8>>,
    /// Why the record could not be written, if it was not.
    pub(crate) refusal: Option<String>,
}

impl Node {
    /// This process, which runs nothing yet.
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

    /// Writes the current record, and reads the command in force.
    ///
    /// # Errors
    /// When Redis does not answer or refuses it.
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

    /// Takes the node off the list: it goes, and is not missed.
    ///
    /// # Errors
    /// When Redis does not answer or refuses it.
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

/// The host's name.
pub(crate) fn host_name() -> String {
    let system = rustix::system::uname();
    system.nodename().to_string_lossy().into_owned()
}

/// The load of the last minute, where the system says it in a file.
fn load() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split_whitespace().next()?.parse().ok()
}
