//! Events: rows of the journal as listeners receive them.
//!
//! A journal row stores its `data` without `task_id` (a column of its own) and a log line only once
//! (as `message`); [`Event::frame`] puts both back, for a live event and for a replayed one alike.

use std::sync::OnceLock;

use serde::Serialize;
use serde_json::value::RawValue;

use super::cut::{EVENT_LIMIT_BYTES, cut, fit};
use super::json::parse_object;
use super::{TaskId, Timestamp, UnknownName};

/// What the first frame of an event socket says.
pub(crate) const FIRST_FRAME_MESSAGE: &str = "Connected to Venom Telemetry";

/// One row of the journal.
#[derive(Debug)]
pub(crate) struct Event {
    /// The row's number; grows with every commit, without gaps for the listeners of everything.
    pub(crate) id: i64,
    pub(crate) kind: EventType,
    pub(crate) task_id: Option<TaskId>,
    /// Who speaks: the processor's name on its own lines, the operator on queue events.
    pub(crate) agent: Option<String>,
    /// The log line, where the row is one.
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

/// The shares of [`EVENT_LIMIT_BYTES`] that the parts of an event have, if it is too long as a whole.
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

    /// The event as listeners receive it; encoded once, whoever asks first.
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
            false => self.encode_cut(agent, message, &data),
        }
    }

    /// With each part cut to its share of the limit. `data.truncated` says how long the texts were.
    fn encode_cut(&self, agent: Option<&str>, message: &str, data: &RawValue) -> String {
        let agent_cut = agent.and_then(|agent| cut(agent, AGENT_LIMIT_BYTES));
        let message_cut = cut(message, MESSAGE_LIMIT_BYTES);
        let cut = message_cut.iter();
        let lengths = cut.map(|_| ("message".to_owned(), message.chars().count().into()));
        let data = parse_object(data.get().as_bytes()).unwrap_or_default();
        let data = RawValue::from_string(fit(data, lengths.collect(), DATA_LIMIT_BYTES));
        let data = data.expect("it was encoded as JSON");
        let agent = agent_cut.as_deref().or(agent);
        self.encode_parts(agent, message_cut.as_deref().unwrap_or(message), &data)
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

    /// `data` with `task_id` first and, for a log line, the line.
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
