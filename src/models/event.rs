//! Events: journal rows as clients receive them.
//!
//! A journal row stores `task_id` in a column of its own and a log line once, as `message`. [`Event::frame`] adds both
//! to `data`, for live and replayed events alike.

use std::sync::OnceLock;

use serde::Serialize;
use serde_json::value::RawValue;

use super::json::parse_object;
use super::truncate::{EVENT_LIMIT_BYTES, fit, truncate};
use super::{TaskId, Timestamp, UnknownName};

/// The message in the first frame of an event socket.
pub(crate) const FIRST_FRAME_MESSAGE: &str = "Connected to Venom Telemetry";

/// One row of the journal.
#[derive(Debug)]
pub(crate) struct Event {
    /// The ID of the row. IDs grow with every commit and have no gaps.
    pub(crate) id: i64,
    pub(crate) kind: EventType,
    pub(crate) task_id: Option<TaskId>,
    /// The source: the processor for its own lines, the operator for queue events.
    pub(crate) agent: Option<String>,
    /// The log line, if the row has one.
    pub(crate) message: Option<String>,
    /// A JSON object, without `task_id`.
    pub(crate) data: String,
    pub(crate) at: Timestamp,
    frame: OnceLock<String>,
}

/// The types of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum EventType {
    TaskCreated,
    TaskStarted,
    TaskLog,
    TaskLiveLine,
    TaskProgress,
    TaskOutput,
    TaskRetrying,
    TaskCompleted,
    TaskFailed,
    TaskAborted,
    QueuePaused,
    QueueResumed,
    QueuePurged,
    EmergencyStop,
    SystemLog,
    EventsMissed,
}

impl EventType {
    pub(crate) const ALL: [Self; 16] = [
        Self::TaskCreated,
        Self::TaskStarted,
        Self::TaskLog,
        Self::TaskLiveLine,
        Self::TaskProgress,
        Self::TaskOutput,
        Self::TaskRetrying,
        Self::TaskCompleted,
        Self::TaskFailed,
        Self::TaskAborted,
        Self::QueuePaused,
        Self::QueueResumed,
        Self::QueuePurged,
        Self::EmergencyStop,
        Self::SystemLog,
        Self::EventsMissed,
    ];

    /// The name in the journal and on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TaskCreated => "TASK_CREATED",
            Self::TaskStarted => "TASK_STARTED",
            Self::TaskLog => "TASK_LOG",
            Self::TaskLiveLine => "TASK_LIVE_LINE",
            Self::TaskProgress => "TASK_PROGRESS",
            Self::TaskOutput => "TASK_OUTPUT",
            Self::TaskRetrying => "TASK_RETRYING",
            Self::TaskCompleted => "TASK_COMPLETED",
            Self::TaskFailed => "TASK_FAILED",
            Self::TaskAborted => "TASK_ABORTED",
            Self::QueuePaused => "QUEUE_PAUSED",
            Self::QueueResumed => "QUEUE_RESUMED",
            Self::QueuePurged => "QUEUE_PURGED",
            Self::EmergencyStop => "EMERGENCY_STOP",
            Self::SystemLog => "SYSTEM_LOG",
            Self::EventsMissed => "EVENTS_MISSED",
        }
    }
}

impl std::str::FromStr for EventType {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownName {
                expected: "TASK_CREATED, TASK_STARTED, TASK_LOG, TASK_LIVE_LINE, TASK_PROGRESS, TASK_OUTPUT, \
                           TASK_RETRYING, TASK_COMPLETED, TASK_FAILED, TASK_ABORTED, QUEUE_PAUSED, QUEUE_RESUMED, \
                           QUEUE_PURGED, EMERGENCY_STOP, SYSTEM_LOG, EVENTS_MISSED",
                found: name.to_owned(),
            })
    }
}

/// The shares of [`EVENT_LIMIT_BYTES`] for the parts of an event that is too long.
const DATA_LIMIT_BYTES: usize = EVENT_LIMIT_BYTES / 2;
const MESSAGE_LIMIT_BYTES: usize = EVENT_LIMIT_BYTES / 4;
const AGENT_LIMIT_BYTES: usize = 1_000;

/// The JSON text frame, in the contract's field order.
#[derive(Serialize)]
struct Frame<'a> {
    id: i64,
    #[serde(rename = "type")]
    kind: &'static str,
    agent: Option<&'a str>,
    message: &'a str,
    timestamp: Timestamp,
    data: &'a RawValue,
}

impl Event {
    /// An event about `task_id` (or about the queue), with `data` as a JSON object.
    pub(crate) fn new(id: i64, kind: EventType, at: Timestamp, data: String) -> Self {
        Self {
            id,
            kind,
            task_id: None,
            agent: None,
            message: None,
            data,
            at,
            frame: OnceLock::new(),
        }
    }

    /// Returns the event as clients receive it. It is encoded once, at the first call.
    pub(crate) fn frame(&self) -> &str {
        self.frame.get_or_init(|| self.encode())
    }

    fn encode(&self) -> String {
        let (agent, message) = (self.agent.as_deref(), self.message.as_deref());
        let message = message.unwrap_or_default();
        let data = self.full_data();
        let frame = self.encode_parts(agent, message, &data);
        match frame.len() <= EVENT_LIMIT_BYTES {
            true => frame,
            false => self.encode_truncated(agent, message, &data),
        }
    }

    /// Encodes the event with each part truncated to its share. `data.truncated` has the full lengths.
    fn encode_truncated(&self, agent: Option<&str>, message: &str, data: &RawValue) -> String {
        let short_agent = agent.and_then(|agent| truncate(agent, AGENT_LIMIT_BYTES));
        let short_message = truncate(message, MESSAGE_LIMIT_BYTES);
        let lengths = short_message.iter();
        let lengths = lengths.map(|_| ("message".to_owned(), message.chars().count().into()));
        let data = parse_object(data.get().as_bytes()).unwrap_or_default();
        let data = RawValue::from_string(fit(data, lengths.collect(), DATA_LIMIT_BYTES));
        let data = data.expect("`fit` returns JSON");
        let agent = short_agent.as_deref().or(agent);
        self.encode_parts(agent, short_message.as_deref().unwrap_or(message), &data)
    }

    fn encode_parts(&self, agent: Option<&str>, message: &str, data: &RawValue) -> String {
        let frame = Frame {
            id: self.id,
            kind: self.kind.as_str(),
            agent,
            message,
            timestamp: self.at,
            data,
        };
        serde_json::to_string(&frame).expect("strings and numbers always encode")
    }

    /// Returns `data` with `task_id` first and, for a log line, the line.
    fn full_data(&self) -> Box<RawValue> {
        let mut full = String::with_capacity(self.data.len() + 64);
        full.push('{');
        if let Some(task_id) = self.task_id {
            full.push_str("\"task_id\":\"");
            full.push_str(task_id.hyphenated().encode_lower(&mut [0; 36]));
            full.push('"');
        }
        if matches!(self.kind, EventType::TaskLog | EventType::TaskLiveLine) {
            full.push_str(if full.len() > 1 {
                ",\"line\":"
            } else {
                "\"line\":"
            });
            let line = self.message.as_deref().unwrap_or_default();
            full.push_str(&serde_json::to_string(line).expect("a string always encodes"));
        }
        let fields = self.data.trim().strip_prefix('{').unwrap_or("}");
        if full.len() > 1 && fields.trim_start() != "}" {
            full.push(',');
        }
        full.push_str(fields);
        RawValue::from_string(full).unwrap_or_else(|_| RawValue::NULL.to_owned())
    }
}
