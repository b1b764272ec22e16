//! The commands of the control channel, as the original's broker publishes them: parsed, bounded, checked. Pure.
//!
//! A message is JSON, `{"command", "data", "timestamp"}`. Whoever reaches Redis can publish here, so a message is bounded,
//! and an invalid one is logged and ignored. A node also runs the commands that it has sent, so that all nodes run all
//! commands in the same order; unless `done_by` in the data says that it has run this one already.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::models::Timestamp;
use crate::models::task_limits::KEY_CHARS;

/// The largest message that is read or sent, in bytes.
pub(crate) const MESSAGE_LIMIT: usize = 64 << 10;
/// The number of characters of an unknown command that an error repeats.
const ECHO_CHARS: usize = 40;

/// A command to all nodes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ClusterCommand {
    /// Starts no further tasks; running tasks continue.
    Pause(PauseCommand),
    /// Starts tasks again.
    Resume(ResumeCommand),
    /// Pauses, stops running tasks and purges pending tasks.
    EmergencyStop,
    /// Reports at once.
    Status,
}

/// The data of a pause.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct PauseCommand {
    /// One processor, on the nodes that have it; `None`: the whole queue.
    pub(crate) processor: Option<String>,
    /// The time at which the pause ends by itself.
    pub(crate) until: Option<Timestamp>,
    /// The reason, which the status shows.
    pub(crate) reason: Option<String>,
}

/// The data of a resume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub(crate) struct ResumeCommand {
    /// One processor; `None`: the whole queue.
    pub(crate) processor: Option<String>,
}

/// A command as the channel delivers it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct BroadcastMessage {
    pub(crate) command: ClusterCommand,
    /// The id of the node that ran the command before it was sent.
    pub(crate) done_by: Option<String>,
    /// The sender's time of sending, if it can be parsed.
    pub(crate) sent_at: Option<Timestamp>,
}

/// Why a message is no valid command: a clause without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidCommand {
    #[error("it is larger than {MESSAGE_LIMIT} bytes")]
    Large,
    #[error("it is not JSON with a command: {0}")]
    NotJson(String),
    #[error("the command {0:?} is unknown; known are {KNOWN}")]
    Unknown(String),
    #[error("its data is invalid: {0}")]
    Data(String),
}

/// The names of the commands, for error messages.
pub(crate) const KNOWN: &str = "pause, resume, emergency_stop, status";

impl ClusterCommand {
    /// Parses a command from its name, in either case, and its data: an object or null. Ignores unknown fields.
    ///
    /// # Errors
    /// [`InvalidCommand::Unknown`] and [`InvalidCommand::Data`].
    pub(crate) fn read(name: &str, data: &Value) -> Result<Self, InvalidCommand> {
        let data = match data {
            Value::Null => &Value::Object(Map::new()),
            Value::Object(_) => data,
            _ => return Err(InvalidCommand::Data("expected an object".to_owned())),
        };
        match name.to_ascii_lowercase().as_str() {
            "pause" => {
                let pause: PauseCommand = fields(data)?;
                let reason = pause.reason.as_deref().unwrap_or_default();
                if reason.chars().nth(KEY_CHARS).is_some() {
                    let expected = format!("reason: expected at most {KEY_CHARS} characters");
                    return Err(InvalidCommand::Data(expected));
                }
                Ok(Self::Pause(pause))
            }
            "resume" => Ok(Self::Resume(fields(data)?)),
            "emergency_stop" => Ok(Self::EmergencyStop),
            "status" => Ok(Self::Status),
            _ => Err(InvalidCommand::Unknown(
                name.chars().take(ECHO_CHARS).collect(),
            )),
        }
    }
}

impl ClusterCommand {
    /// Returns true if the command also applies to nodes that join later.
    pub(crate) fn stays_in_force(&self) -> bool {
        match self {
            Self::Pause(PauseCommand { processor, .. })
            | Self::Resume(ResumeCommand { processor }) => processor.is_none(),
            Self::EmergencyStop => true,
            Self::Status => false,
        }
    }

    pub(crate) const fn is_pause(&self) -> bool {
        matches!(self, Self::Pause(_))
    }
}

impl BroadcastMessage {
    /// Parses a message of the channel.
    ///
    /// # Errors
    /// If it is not a valid command.
    pub(crate) fn read(payload: &[u8]) -> Result<Self, InvalidCommand> {
        if payload.len() > MESSAGE_LIMIT {
            return Err(InvalidCommand::Large);
        }
        let fields: Map<String, Value> = serde_json::from_slice(payload)
            .map_err(|error| InvalidCommand::NotJson(error.to_string()))?;
        let name = fields.get("command").and_then(Value::as_str);
        let name =
            name.ok_or_else(|| InvalidCommand::NotJson("`command` is not a string".to_owned()))?;
        let data = fields.get("data").unwrap_or(&Value::Null);
        let command = ClusterCommand::read(name, data)?;
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

fn fields<T: for<'a> Deserialize<'a>>(data: &Value) -> Result<T, InvalidCommand> {
    T::deserialize(data).map_err(|error| InvalidCommand::Data(error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::hive::cluster::broadcast::message;

    fn read(text: &str) -> Result<BroadcastMessage, InvalidCommand> {
        BroadcastMessage::read(text.as_bytes())
    }

    #[test]
    fn messages_of_the_original_are_understood() {
        let text =
            r#"{"command": "STATUS", "data": {}, "timestamp": "2026-01-31T12:00:00.123456"}"#;
        assert_eq!(read(text).unwrap().command, ClusterCommand::Status);
        let stop = read(r#"{"command": "emergency_stop"}"#).unwrap();
        assert_eq!(
            (stop.command, stop.done_by),
            (ClusterCommand::EmergencyStop, None)
        );
        let pause = r#"{"command": "Pause", "data": {"reason": "x", "done_by": "a", "more": [1]}}"#;
        let pause = read(pause).unwrap();
        let expected = PauseCommand {
            reason: Some("x".to_owned()),
            ..PauseCommand::default()
        };
        assert_eq!(pause.command, ClusterCommand::Pause(expected));
        assert_eq!(pause.done_by.as_deref(), Some("a"));
    }

    #[test]
    fn our_messages_are_understood() {
        let text = message("resume", &json!({ "processor": "echo" }));
        let expected = ClusterCommand::Resume(ResumeCommand {
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
            assert!(
                matches!(read(text), Err(InvalidCommand::NotJson(_))),
                "{text:.20}"
            );
        }
        assert!(matches!(
            BroadcastMessage::read(b"\xff\xfe{"),
            Err(InvalidCommand::NotJson(_))
        ));
        let large = format!(
            r#"{{"command": "pause", "data": "{}"}}"#,
            "x".repeat(MESSAGE_LIMIT)
        );
        assert_eq!(read(&large), Err(InvalidCommand::Large));
        let unknown = format!(r#"{{"command": "{}"}}"#, "é".repeat(1000));
        assert_eq!(
            read(&unknown),
            Err(InvalidCommand::Unknown("é".repeat(ECHO_CHARS)))
        );
        for data in [
            "[]",
            "1",
            r#"{"until": "soon"}"#,
            r#"{"reason": {}}"#,
            r#"{"processor": 1}"#,
        ] {
            let text = format!(r#"{{"command": "pause", "data": {data}}}"#);
            assert!(
                matches!(read(&text), Err(InvalidCommand::Data(_))),
                "{data}"
            );
        }
    }
}
