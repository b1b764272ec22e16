//! The flags that describe a new task, and the request body that they make.

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value, json};

use super::duration::read_duration;
use crate::models::{TaskId, Timestamp};

const HEADING: &str = "The task";

/// Fields of a new task besides its content.
#[derive(Args, Debug)]
#[command(next_help_heading = HEADING)]
pub(crate) struct NewTaskArgs {
    /// Run the task with this processor [default: the default_processor of the settings, else echo]
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    /// Set the priority, -100 to 100; higher runs first [default: 0]
    #[arg(long, value_name = "NUMBER", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(-100..=100))]
    priority: Option<i64>,
    /// Delay the start by this duration, such as 90, 5m, 2h or 1d
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    delay: Option<Duration>,
    /// Schedule the start for this timestamp, such as 2026-12-24T18:00:00Z
    #[arg(long, value_name = "TIMESTAMP", conflicts_with = "delay")]
    at: Option<Timestamp>,
    /// Retry this many times after a failure; 2 allows three attempts [default: the processor's]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..=999))]
    retry: Option<i64>,
    /// Allow this many attempts, the first included [default: the processor's]
    #[arg(long, value_name = "NUMBER", conflicts_with = "retry")]
    #[arg(value_parser = clap::value_parser!(i64).range(1..=1000))]
    max_attempts: Option<i64>,
    /// Stop an attempt after this duration, such as 90, 5m or 2h [default: the processor's]
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    timeout: Option<Duration>,
    /// Share a concurrency limit with all tasks of this key (concurrency_key)
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Reject the task while another task with this key is PENDING or PROCESSING (unique_key)
    #[arg(long, value_name = "NAME")]
    unique: Option<String>,
    /// Start after this task has COMPLETED, as a dependency; repeat the flag for several
    #[arg(long, value_name = "ID")]
    after: Vec<TaskId>,
    /// Add a tag; repeat the flag for several
    #[arg(long, value_name = "TAG")]
    tag: Vec<String>,
    /// Assign the task to this session
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

impl NewTaskArgs {
    /// Returns true if no flag was given.
    pub(crate) fn is_plain(&self) -> bool {
        self.fields().is_empty()
    }

    /// Returns the request body of a task with this content.
    pub(crate) fn request(&self, content: &str) -> Value {
        let mut task = Map::new();
        task.insert("content".to_owned(), json!(content));
        task.extend(self.fields());
        Value::Object(task)
    }

    /// Returns the given flags under the field names of the API.
    fn fields(&self) -> Map<String, Value> {
        let attempts = self.max_attempts.or(self.retry.map(|retries| retries + 1));
        let list = |items: Value| {
            items
                .as_array()
                .is_some_and(|it| !it.is_empty())
                .then_some(items)
        };
        let fields = [
            ("processor", self.processor.as_ref().map(|it| json!(it))),
            ("priority", self.priority.map(|it| json!(it))),
            ("delay", self.delay.map(|it| json!(it.as_secs_f64()))),
            ("run_at", self.at.map(|it| json!(it))),
            ("max_attempts", attempts.map(|it| json!(it))),
            ("timeout", self.timeout.map(|it| json!(it.as_secs_f64()))),
            ("concurrency_key", self.key.as_ref().map(|it| json!(it))),
            ("unique_key", self.unique.as_ref().map(|it| json!(it))),
            ("after", list(json!(self.after))),
            ("tags", list(json!(self.tag))),
            ("session_id", self.session.as_ref().map(|it| json!(it))),
        ];
        let given = fields.into_iter();
        given
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
}
