//! The nodes of the Hive: what each says of itself in Redis, and who has gone silent.
//!
//! A node writes its record every few seconds, and the record expires soon after the last: then the node is
//! silent. What it said last is kept for an hour longer, so that it can be told who is missing.

use std::collections::{HashMap, HashSet};
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
/// How long a silent node is listed.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// The most nodes that are listed.
const NODES_LIMIT: usize = 1000;
/// Bytes of a record that is read.
const RECORD_LIMIT: usize = 4096;
/// The last moment that can be written, in ms since 1970.
const LAST_MS: f64 = 253_402_300_799_000.0;
/// Characters of a name that are kept.
const NAME_CHARS: usize = 100;

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

/// What a node says of itself.
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

/// A node as it is listed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HiveNode)]
pub(crate) struct Listed {
    #[serde(flatten)]
    pub(crate) node: Node,
    /// Its record has expired.
    pub(crate) silent: bool,
}

/// What a report has found.
pub(crate) struct Report {
    /// The order that stands, if there is one.
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

    /// Writes the record, as of now, and reads the order that stands.
    ///
    /// # Errors
    /// When Redis does not answer or refuses it.
    pub(crate) async fn report(
        &mut self,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> Result<Report, RedisError> {
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
            .map(|(order, refusal)| Report { order, refusal })
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

/// The nodes that were seen within the last hour, by name and age, at most 1000 of them. `last_seen` is by the
/// clock of Redis, which is one for all. Records that make no sense are left out.
///
/// # Errors
/// When Redis does not answer or refuses it.
pub(crate) async fn list(
    connection: &mut MultiplexedConnection,
    keys: &NodeKeys,
) -> Result<Vec<Listed>, RedisError> {
    let found: Vec<Vec<u8>> = Script::new(include_str!("lua/nodes.lua"))
        .key(&keys.nodes)
        .key(&keys.last_words)
        .arg(keys.record(""))
        .arg(FORGOTTEN_AFTER.as_millis() as u64)
        .arg(NODES_LIMIT)
        .arg(RECORD_LIMIT)
        .invoke_async(connection)
        .await?;
    let (entries, _) = found.as_chunks::<4>();
    let mut nodes: Vec<_> = entries.iter().filter_map(read).collect();
    nodes.sort_by(|a, b| {
        let place = |it: &Listed| (it.node.name.clone(), it.node.started_at, it.node.id.clone());
        place(a).cmp(&place(b))
    });
    Ok(nodes)
}

/// One of the list's entries: id, milliseconds, whether the record stands, the last words.
fn read([id, seen, stands, words]: &[Vec<u8>; 4]) -> Option<Listed> {
    let mut node: Node = serde_json::from_slice(words).ok()?;
    if node.id.as_bytes() != id.as_slice() {
        return None;
    }
    let seen: f64 = std::str::from_utf8(seen).ok()?.parse().ok()?;
    if !(0.0..=LAST_MS).contains(&seen) {
        return None;
    }
    node.last_seen = Timestamp::from_unix_seconds((seen / 1000.0) as i64)?
        .after(Duration::from_millis((seen % 1000.0) as u64));
    if let Some((end, _)) = node.name.char_indices().nth(NAME_CHARS) {
        node.name.truncate(end);
    }
    Some(Listed {
        node,
        silent: stands != b"1",
    })
}

/// Remembers who was there, to tell who has come and gone.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    known: HashMap<String, Known>,
    has_looked: bool,
}

#[derive(Debug)]
struct Known {
    node: Node,
    silent: bool,
}

/// What has become of a node.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum News {
    Came(Node),
    /// It has not reported for too long.
    Silent(Node),
    /// It was silent, and reports again.
    Back(Node),
    /// It has ended as it should.
    Left(Node),
}

impl Watch {
    /// What is new since the last look, and is to be handed to [`Watch::note`] once it is told. What the first
    /// look finds is no news, and nobody is missed unless `may_miss`.
    pub(crate) fn compare(&mut self, nodes: &[Listed], may_miss: bool) -> Vec<News> {
        if !std::mem::replace(&mut self.has_looked, true) {
            let found = nodes.iter();
            found.for_each(|Listed { node, silent }| self.know(node, *silent));
        }
        let listed: HashSet<_> = nodes.iter().map(|it| it.node.id.as_str()).collect();
        // Nobody is told that a silent one is not listed any more.
        let is_listed = |id: &String| listed.contains(id.as_str());
        self.known
            .retain(|id, known| !known.silent || is_listed(id));
        let there = nodes.iter().filter_map(|Listed { node, silent }| {
            match (self.known.get(&node.id).map(|known| known.silent), *silent) {
                (None, false) => Some(News::Came(node.clone())),
                (Some(false), true) if may_miss => Some(News::Silent(node.clone())),
                (Some(true), false) => Some(News::Back(node.clone())),
                _ => None,
            }
        });
        let left = self.known.iter().filter(|(id, _)| !is_listed(id));
        let left = left.map(|(_, known)| News::Left(known.node.clone()));
        there.chain(left.filter(|_| may_miss)).collect()
    }

    /// This has been told.
    pub(crate) fn note(&mut self, news: &News) {
        match news {
            News::Came(node) | News::Back(node) => self.know(node, false),
            News::Silent(node) => self.know(node, true),
            News::Left(node) => drop(self.known.remove(&node.id)),
        }
    }

    fn know(&mut self, node: &Node, silent: bool) {
        let node = node.clone();
        self.known.insert(node.id.clone(), Known { node, silent });
    }
}

impl News {
    /// How much it matters, a sentence for people, and whom it is about.
    pub(crate) fn words(&self) -> (&'static str, String, &Node) {
        let (level, what, node) = match self {
            Self::Came(node) => ("INFO", "has come", node),
            Self::Silent(node) => ("WARNING", "has gone silent", node),
            Self::Back(node) => ("INFO", "is back", node),
            Self::Left(node) => ("INFO", "has left", node),
        };
        let (kind, name, pid) = (node.kind.as_str(), &node.name, node.pid);
        let sentence = format!("Hive: the {kind} on {name} (process {pid}) {what}");
        (level, sentence, node)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(name: &str, silent: bool) -> Listed {
        let mut node = Node::of_this_process(NodeKind::Worker, "host");
        node.id = name.to_owned();
        Listed { node, silent }
    }

    /// What is told of these nodes: each one's id and what has become of it.
    fn told(watch: &mut Watch, nodes: &[Listed], may_miss: bool) -> Vec<String> {
        let news = watch.compare(nodes, may_miss);
        news.iter().for_each(|news| watch.note(news));
        let words = news.iter().map(|news| {
            let (level, sentence, node) = news.words();
            let what = sentence.split_once(") ").expect("a process").1.to_owned();
            format!("{level} {} {what}", node.id)
        });
        words.collect()
    }

    #[test]
    fn each_silence_is_told_once() {
        let mut watch = Watch::default();
        let quiet = ["a", "b"].map(|name| listed(name, name == "b"));
        assert!(told(&mut watch, &quiet, true).is_empty());
        let a = [listed("a", true), listed("b", true)];
        assert_eq!(told(&mut watch, &a, true), ["WARNING a has gone silent"]);
        assert!(told(&mut watch, &a, true).is_empty());
        let back = [listed("a", false), listed("b", true)];
        assert_eq!(told(&mut watch, &back, true), ["INFO a is back"]);
        assert_eq!(told(&mut watch, &a, true), ["WARNING a has gone silent"]);
        // Forgotten after an hour.
        assert!(told(&mut watch, &[], true).is_empty());
        assert_eq!(told(&mut watch, &back, true), ["INFO a has come"]);
    }

    #[test]
    fn who_leaves_is_not_missed() {
        let mut watch = Watch::default();
        assert!(told(&mut watch, &[], true).is_empty());
        let a = [listed("a", false)];
        assert_eq!(told(&mut watch, &a, true), ["INFO a has come"]);
        assert_eq!(told(&mut watch, &[], true), ["INFO a has left"]);
        assert!(told(&mut watch, &[], true).is_empty());
    }

    #[test]
    fn nobody_is_missed_right_after_redis_was_away() {
        let mut watch = Watch::default();
        told(&mut watch, &[listed("a", false), listed("b", false)], true);
        let silent = [listed("a", true)];
        assert!(told(&mut watch, &silent, false).is_empty());
        let later = told(&mut watch, &silent, true);
        assert_eq!(later, ["WARNING a has gone silent", "INFO b has left"]);
    }

    #[test]
    fn what_was_not_told_is_told_again() {
        let mut watch = Watch::default();
        watch.compare(&[listed("a", false)], true);
        let silent = [listed("a", true)];
        assert_eq!(watch.compare(&silent, true).len(), 1);
        assert_eq!(watch.compare(&silent, true).len(), 1);
    }

    #[test]
    fn records_that_make_no_sense_are_left_out() {
        let Listed { node, .. } = listed("a", false);
        let record = serde_json::to_vec(&node).unwrap();
        let entry = |id: &str, seen: &str, words: &[u8]| {
            let text = |text: &str| text.as_bytes().to_vec();
            [text(id), text(seen), text("1"), words.to_vec()]
        };
        let found = read(&entry("a", "1767268800500", &record)).unwrap();
        assert_eq!(
            found.node.last_seen.to_string(),
            "2026-01-01T12:00:00.500000Z"
        );
        assert!(!found.silent);
        assert_eq!(read(&entry("b", "1767268800500", &record)), None);
        for seen in ["inf", "-inf", "nan", "", "1e15", "1e300"] {
            assert_eq!(read(&entry("a", seen, &record)), None, "{seen}");
        }
        for words in [&b""[..], b"{}", b"\xff", b"null"] {
            assert_eq!(read(&entry("a", "1", words)), None);
        }
    }
}
