//! The control channel: orders to all nodes of the Hive at once, as the original's broker publishes them.
//!
//! A message is JSON, `{"command", "data", "timestamp"}`. Whoever reaches Redis can publish here, so a message is
//! bounded, and what makes no sense is logged and let be. A node obeys what it hears of its own messages too,
//! so that all nodes get all orders in the same order; except if the data say that it has done it already.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::hive::redis::keys::NodeKeys;
use crate::models::Timestamp;
use crate::models::task_limits::KEY_CHARS;

const ORDER: &str = include_str!("lua/order.lua");

/// Bytes of a message that is read or sent.
pub(crate) const MESSAGE_LIMIT: usize = 64 << 10;
/// Characters of an unknown command that an error repeats.
const ECHO_CHARS: usize = 40;

/// What all nodes are told to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Command {
    /// Start nothing more; what runs goes on.
    Pause(Pause),
    /// Start tasks again.
    Resume(Resume),
    /// Pause, stop what runs, and purge what waits.
    EmergencyStop,
    /// Report at once.
    Status,
}

/// The data of a pause.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Pause {
    /// One processor, on the nodes that have it; `None` stands for the whole queue.
    pub(crate) processor: Option<String>,
    /// The pause ends by itself at this time.
    pub(crate) until: Option<Timestamp>,
    /// Why, for those who ask later.
    pub(crate) reason: Option<String>,
}

/// The data of a resume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct Resume {
    /// One processor; `None` stands for the whole queue.
    pub(crate) processor: Option<String>,
}

/// An order as it comes by the channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    pub(crate) command: Command,
    /// The id of the node that has obeyed it before it was sent.
    pub(crate) done_by: Option<String>,
    /// When it was sent, by the clock of who sent it, if that can be read.
    pub(crate) sent_at: Option<Timestamp>,
}

/// Why a message is none that can be obeyed: a clause without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    #[error("it is larger than {MESSAGE_LIMIT} bytes")]
    Large,
    #[error("it is not JSON with a command: {0}")]
    NotJson(String),
    #[error("the command {0:?} is unknown; known are {KNOWN}")]
    Unknown(String),
    #[error("its data make no sense: {0}")]
    Data(String),
}

/// The names of the commands, for messages to people.
pub(crate) const KNOWN: &str = "pause, resume, emergency_stop, status";

impl Command {
    /// The command of this name, in letters of either case, with these data: an object or null. Data that it
    /// does not know are let be.
    ///
    /// # Errors
    /// [`Unclear::Unknown`] and [`Unclear::Data`].
    pub(crate) fn read(name: &str, data: &Value) -> Result<Self, Unclear> {
        let data = match data {
            Value::Null => &Value::Object(Map::new()),
            Value::Object(_) => data,
            _ => return Err(Unclear::Data("expected an object".to_owned())),
        };
        match name.to_ascii_lowercase().as_str() {
            "pause" => {
                let pause: Pause = fields(data)?;
                let reason = pause.reason.as_deref().unwrap_or_default();
                if reason.chars().nth(KEY_CHARS).is_some() {
                    let expected = format!("reason: expected at most {KEY_CHARS} characters");
                    return Err(Unclear::Data(expected));
                }
                Ok(Self::Pause(pause))
            }
            "resume" => Ok(Self::Resume(fields(data)?)),
            "emergency_stop" => Ok(Self::EmergencyStop),
            "status" => Ok(Self::Status),
            _ => Err(Unclear::Unknown(name.chars().take(ECHO_CHARS).collect())),
        }
    }
}

impl Command {
    /// Whether it holds for nodes that come later too.
    pub(crate) fn stands(&self) -> bool {
        match self {
            Self::Pause(Pause { processor, .. }) | Self::Resume(Resume { processor }) => {
                processor.is_none()
            }
            Self::EmergencyStop => true,
            Self::Status => false,
        }
    }

    const fn is_pause(&self) -> bool {
        matches!(self, Self::Pause(_))
    }
}

impl Message {
    /// Reads what has come by the channel.
    ///
    /// # Errors
    /// When it is no order.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, Unclear> {
        if payload.len() > MESSAGE_LIMIT {
            return Err(Unclear::Large);
        }
        let fields: Map<String, Value> =
            serde_json::from_slice(payload).map_err(|error| Unclear::NotJson(error.to_string()))?;
        let name = fields.get("command").and_then(Value::as_str);
        let name = name.ok_or_else(|| Unclear::NotJson("`command` is no text".to_owned()))?;
        let data = fields.get("data").unwrap_or(&Value::Null);
        let command = Command::read(name, data)?;
        let done_by = data["done_by"].as_str().map(str::to_owned);
        let sent_at = fields
            .get("timestamp")
            .and_then(|at| Timestamp::deserialize(at).ok());
        Ok(Self {
            command,
            done_by,
            sent_at,
        })
    }
}

fn fields<T: for<'a> Deserialize<'a>>(data: &Value) -> Result<T, Unclear> {
    T::deserialize(data).map_err(|error| Unclear::Data(error.to_string()))
}

/// A message as it is published.
pub(crate) fn message(command: &str, data: &Value) -> String {
    json!({ "command": command, "data": data, "timestamp": Timestamp::now() }).to_string()
}

/// Publishes a message on `channel`; how many listen there, programs that are no nodes included. One that is for
/// all queues stands for those who come later.
///
/// # Errors
/// When Redis does not answer or refuses it.
pub(crate) async fn publish(
    connection: &mut MultiplexedConnection,
    channel: &str,
    message: &str,
) -> Result<u64, RedisError> {
    let read = Message::read(message.as_bytes());
    let Some(command) = read.ok().map(|it| it.command).filter(Command::stands) else {
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

/// Lets an order stand that another program has published, unless a later one does: one that is not among
/// `earlier`.
///
/// # Errors
/// When Redis does not answer or refuses it.
pub(crate) async fn let_stand(
    connection: &mut MultiplexedConnection,
    keys: &NodeKeys,
    (command, text): (&Command, &str),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Message, Unclear> {
        Message::read(text.as_bytes())
    }

    #[test]
    fn messages_of_the_original_are_understood() {
        let text =
            r#"{"command": "STATUS", "data": {}, "timestamp": "2026-01-31T12:00:00.123456"}"#;
        assert_eq!(read(text).unwrap().command, Command::Status);
        let stop = read(r#"{"command": "emergency_stop"}"#).unwrap();
        assert_eq!((stop.command, stop.done_by), (Command::EmergencyStop, None));
        let pause = r#"{"command": "Pause", "data": {"reason": "x", "done_by": "a", "more": [1]}}"#;
        let pause = read(pause).unwrap();
        let expected = Pause {
            reason: Some("x".to_owned()),
            ..Pause::default()
        };
        assert_eq!(pause.command, Command::Pause(expected));
        assert_eq!(pause.done_by.as_deref(), Some("a"));
    }

    #[test]
    fn our_messages_are_understood() {
        let text = message("resume", &json!({ "processor": "echo" }));
        let expected = Command::Resume(Resume {
            processor: Some("echo".to_owned()),
        });
        assert_eq!(read(&text).unwrap().command, expected);
        let value: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = value.as_object().unwrap().keys().collect();
        assert_eq!(names, ["command", "data", "timestamp"]);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let deep = "[".repeat(60_000);
        for text in [
            "",
            "\0",
            "null",
            "[]",
            "{}",
            r#"["status"]"#,
            r#"{"command": 1}"#,
            &deep,
        ] {
            assert!(matches!(read(text), Err(Unclear::NotJson(_))), "{text:.20}");
        }
        assert!(matches!(
            Message::read(b"\xff\xfe{"),
            Err(Unclear::NotJson(_))
        ));
        let large = format!(
            r#"{{"command": "pause", "data": "{}"}}"#,
            "x".repeat(MESSAGE_LIMIT)
        );
        assert_eq!(read(&large), Err(Unclear::Large));
        let unknown = format!(r#"{{"command": "{}"}}"#, "é".repeat(1000));
        assert_eq!(
            read(&unknown),
            Err(Unclear::Unknown("é".repeat(ECHO_CHARS)))
        );
        for data in [
            "[]",
            "1",
            r#"{"until": "soon"}"#,
            r#"{"reason": {}}"#,
            r#"{"processor": 1}"#,
        ] {
            let text = format!(r#"{{"command": "pause", "data": {data}}}"#);
            assert!(matches!(read(&text), Err(Unclear::Data(_))), "{data}");
        }
    }
}
