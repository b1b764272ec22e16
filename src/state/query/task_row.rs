//! One row of `tasks` with its log, and how it is read as a task.
//!
//! Another program may have written anything into it. What can be repaired is repaired, and a row that is no task
//! at all is left out, so that it does not cost the others of its page.

use crate::models::{Task, Timestamp};
use crate::state::db::damaged_columns;
use crate::state::db::damaged_columns::ColumnReader;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// The columns of `tasks`, with the log lines as a JSON list.
pub(super) struct TaskRow {
    pub(super) seq: i64,
    pub(super) id: Text,
    pub(super) content: Text,
    pub(super) status: Text,
    pub(super) processor: Text,
    pub(super) priority: i64,
    pub(super) attempt: i64,
    pub(super) max_attempts: i64,
    pub(super) timeout: Option<f64>,
    pub(super) concurrency_key: Option<Text>,
    pub(super) unique_key: Option<Text>,
    pub(super) upstream: Option<Text>,
    pub(super) created_at: Text,
    pub(super) run_at: Text,
    pub(super) started_at: Option<Text>,
    pub(super) finished_at: Option<Text>,
    pub(super) result: Option<Text>,
    pub(super) failure: Option<Text>,
    pub(super) error: Option<Text>,
    pub(super) progress: Option<f64>,
    pub(super) tags: Text,
    pub(super) session_id: Option<Text>,
    pub(super) context_history: Text,
    pub(super) context_used: Option<Text>,
    pub(super) extra: Text,
    pub(super) logs: Text,
}

impl TaskRow {
    /// Returns the task with its row number, or logs that the row is no task and returns `None`.
    pub(super) fn readable(self) -> Option<(i64, Task)> {
        let (seq, id) = (self.seq, self.id.to_string());
        self.into_task()
            .inspect_err(|error| damaged_columns::left_out(seq, &id, error))
            .ok()
    }

    /// Returns the task with its row number, and logs what had to be repaired.
    pub(super) fn into_task(self) -> Result<(i64, Task), Error> {
        let seq = self.seq;
        let (task, columns) = self.read()?;
        columns.report(seq, task.id);
        Ok((seq, task))
    }

    /// Returns the task, and the reader that knows which columns it had to repair.
    pub(super) fn read(self) -> Result<(Task, ColumnReader), Error> {
        let id = self.id.parse_id()?;
        let mut columns = ColumnReader::default();
        let task = Task {
            id,
            content: self.content.into(),
            created_at: time(&self.created_at, "created_at")?,
            status: parse(&self.status, "status")?,
            result: self.result.map(String::from),
            logs: parse_logs(&self.logs)?,
            context_history: columns.object("context_history", self.context_history),
            context_used: self
                .context_used
                .map(|text| columns.json("context_used", text.into())),
            processor: self.processor.into(),
            priority: self.priority,
            attempt: self.attempt,
            max_attempts: self.max_attempts,
            run_at: time(&self.run_at, "run_at")?,
            started_at: optional(self.started_at, |text| time(text, "started_at"))?,
            finished_at: optional(self.finished_at, |text| time(text, "finished_at"))?,
            failure: optional(self.failure, |text| parse(text, "failure"))?,
            error: self.error.map(String::from),
            progress: self.progress,
            tags: columns.texts("tags", self.tags),
            session_id: self.session_id.map(String::from),
            timeout: self.timeout,
            concurrency_key: self.concurrency_key.map(String::from),
            unique_key: self.unique_key.map(String::from),
            after: self
                .upstream
                .map(|text| columns.ids("upstream", text))
                .unwrap_or_default(),
            extra: columns.object("extra", self.extra),
        };
        Ok((task, columns))
    }
}

fn optional<T>(
    text: Option<Text>,
    read: impl FnOnce(&str) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    text.map(|text| read(&text)).transpose()
}

fn time(text: &str, column: &str) -> Result<Timestamp, Error> {
    text.parse().map_err(|_| {
        let expected = "expected a time such as 2026-01-31T12:00:00.000000Z";
        Error::BadRow(format!("tasks.{column}: {expected}, found {text:?}"))
    })
}

pub(super) fn parse<T: std::str::FromStr<Err = crate::models::UnknownName>>(
    text: &str,
    column: &str,
) -> Result<T, Error> {
    text.parse()
        .map_err(|error| Error::BadRow(format!("tasks.{column}: {error}")))
}

/// Parses the JSON list of log lines that SQLite made.
fn parse_logs(text: &str) -> Result<Vec<String>, Error> {
    serde_json::from_str(text).map_err(|error| Error::BadRow(format!("logs.message: {error}")))
}
