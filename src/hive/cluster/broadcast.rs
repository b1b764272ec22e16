//! Sends commands to all nodes. A command for the whole queue also stays in force in Redis, for nodes that come later.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde_json::{Value, json};

use crate::hive::cluster::command::{BroadcastMessage, ClusterCommand};
use crate::hive::redis::keys::NodeKeys;
use crate::models::Timestamp;

const ORDER: &str = include_str!("lua/order.lua");

/// Returns a message as it is published.
pub(crate) fn message(command: &str, data: &Value) -> String {
    json!({ "command": command, "data": data, "timestamp": Timestamp::now() }).to_string()
}

/// Publishes a message on `channel` and returns how many subscribers received it, other programs included. A command
/// for the whole queue also stays in force for nodes that join later.
///
/// # Errors
/// If Redis does not answer or refuses it.
pub(crate) async fn publish(
    connection: &mut MultiplexedConnection,
    channel: &str,
    message: &str,
) -> Result<u64, RedisError> {
    let read = BroadcastMessage::read(message.as_bytes());
    let Some(command) = read
        .ok()
        .map(|it| it.command)
        .filter(ClusterCommand::stays_in_force)
    else {
        let mut publish = redis::cmd("PUBLISH");
        return publish
            .arg(channel)
            .arg(message)
            .query_async(connection)
            .await;
    };
    let keys = NodeKeys::of(channel);
    let script = Script::new(ORDER);
    let mut order = script.key(&keys.order);
    order
        .arg(message)
        .arg(u8::from(command.is_pause()))
        .arg(channel);
    order.invoke_async(connection).await
}

/// Keeps a command in force that another program has published, unless a later one is in force: one that is not among
/// `earlier`.
///
/// # Errors
/// If Redis does not answer or refuses it.
pub(crate) async fn keep_in_force(
    connection: &mut MultiplexedConnection,
    keys: &NodeKeys,
    (command, text): (&ClusterCommand, &str),
    earlier: &[Arc<str>],
) -> Result<(), RedisError> {
    let script = Script::new(ORDER);
    let mut order = script.key(&keys.order);
    order.arg(text).arg(u8::from(command.is_pause())).arg("");
    for text in earlier {
        order.arg(&**text);
    }
    order.invoke_async(connection).await
}
