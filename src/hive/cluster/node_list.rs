//! The list of nodes in Redis. Any client of Redis can write records, so each is bounded and validated.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde::Serialize;
use utoipa::ToSchema;

use crate::hive::cluster::node::{NAME_CHARS, Node};
use crate::hive::redis::keys::NodeKeys;
use crate::models::Timestamp;

/// How long a silent node stays on the list.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(3600);
/// The maximum number of listed nodes.
const NODES_LIMIT: usize = 1000;
/// The largest record that is read, in bytes.
const RECORD_LIMIT: usize = 4096;
/// The last timestamp that can be formatted, in milliseconds since 1970.
const LAST_MS: f64 = 253_402_300_799_000.0;
/// An entry of the list.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HiveNode)]
pub(crate) struct ListedNode {
    #[serde(flatten)]
    pub(crate) node: Node,
    /// True if the node's record has expired.
    pub(crate) silent: bool,
}

/// Returns the nodes seen within the last hour, at most 1000, sorted by name and age. `last_seen` is by the clock of
/// Redis, which all nodes share. Invalid records are left out.
///
/// # Errors
/// If Redis does not answer or refuses it.
pub(crate) async fn list(
    connection: &mut MultiplexedConnection,
    keys: &NodeKeys,
) -> Result<Vec<ListedNode>, RedisError> {
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
        let place =
            |it: &ListedNode| (it.node.name.clone(), it.node.started_at, it.node.id.clone());
        place(a).cmp(&place(b))
    });
    Ok(nodes)
}

/// Parses one entry of the list: id, milliseconds, whether the record exists, the last record.
fn read([id, seen, stays_in_force, words]: &[Vec<u8>; 4]) -> Option<ListedNode> {
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
    Some(ListedNode {
        node,
        silent: stays_in_force != b"1",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::cluster::node::NodeKind;

    #[test]
    fn records_that_make_no_sense_are_left_out() {
        let mut node = Node::of_this_process(NodeKind::Worker, "host");
        node.id = "a".to_owned();
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
