//! Python exceptions: those that a failed job raised, and those that this program raises.

use std::fmt;

use crate::hive::wire::value::Value;

/// A Python exception: its class, if known, and its message. Displayed as Python does at the end of a traceback:
/// `ValueError: bad`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    /// The full name, as `builtins.ValueError`; `None` if a worker reported something else.
    pub(crate) class: Option<String>,
    /// Its argument, or all of them as JSON separated by commas; may be empty.
    pub(crate) message: String,
}

const FAILED: &str = "arq.worker.JobExecutionFailed";
const UNREADABLE: &str = "arq.jobs.DeserializationError";
const CANCELLED: &str = "asyncio.exceptions.CancelledError";
/// Since Python 3.11 this is the builtin class; before, it was another class, and ARQ raised this one.
const TIMEOUT: &str = "asyncio.exceptions.TimeoutError";

impl Exception {
    /// Returns `arq.worker.JobExecutionFailed(message)`, which every Python client of ARQ can raise.
    pub(crate) fn job_execution_failed(message: impl Into<String>) -> Self {
        Self::new(FAILED, message)
    }

    /// Returns `arq.jobs.DeserializationError(message)`, for a job that cannot be decoded.
    pub(crate) fn deserialization(message: impl Into<String>) -> Self {
        Self::new(UNREADABLE, message)
    }

    /// Returns `asyncio.TimeoutError()`, for a job that timed out.
    pub(crate) fn timeout() -> Self {
        Self::new(TIMEOUT, "")
    }

    /// Returns `asyncio.CancelledError()`, for a job that was aborted.
    pub(crate) fn cancelled() -> Self {
        Self::new(CANCELLED, "")
    }

    fn new(class: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let class = Some(class.to_owned());
        Self { class, message }
    }

    /// Parses the value of a failed result: an exception, its description in JSON or msgpack, or anything else as a
    /// message without a class.
    pub(crate) fn of(value: &Value) -> Self {
        described(value).unwrap_or_else(|| Self {
            class: None,
            message: value.to_text(),
        })
    }

    /// Returns the value of a failed result. A message is the only argument.
    pub(crate) fn to_value(&self) -> Value {
        let Some((module, name)) = self.class.as_deref().and_then(|c| c.rsplit_once('.')) else {
            return Value::Str(self.message.clone());
        };
        let message = Some(self.message.as_str()).filter(|message| !message.is_empty());
        Value::called(module, name, Vec::from_iter(message.map(Value::from)))
    }

    /// Returns true if the job was aborted or cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_any(&[CANCELLED, "concurrent.futures._base.CancelledError"])
    }

    /// Returns true if the job timed out.
    pub(crate) fn is_timeout(&self) -> bool {
        self.is_any(&[TIMEOUT, "builtins.TimeoutError"])
    }

    fn is_any(&self, classes: &[&str]) -> bool {
        let class = self.class.as_deref();
        class.is_some_and(|class| classes.contains(&class))
    }
}

fn described(value: &Value) -> Option<Exception> {
    let (class, args) = match value {
        Value::Opaque(opaque) => (opaque.class(), opaque.args.as_slice()),
        Value::Dict(pairs) => {
            let under = |name: &str| {
                let found = |(key, _): &&(Value, Value)| matches!(key, Value::Str(k) if k == name);
                pairs.iter().find(found).map(|(_, value)| value)
            };
            match (under("class")?, under("args")?) {
                (Value::Str(class), Value::List(args)) => (class.clone(), args.as_slice()),
                _ => return None,
            }
        }
        _ => return None,
    };
    let class = Some(class);
    let message = words(args);
    Some(Exception { class, message })
}

fn words(args: &[Value]) -> String {
    match args {
        [only] => only.to_text(),
        several => {
            let words = several.iter().map(|arg| arg.to_json().to_string());
            words.collect::<Vec<_>>().join(", ")
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(class) = &self.class else {
            return f.write_str(&self.message);
        };
        f.write_str(class.strip_prefix("builtins.").unwrap_or(class))?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
