//! The journal rows of every state change, before they have an ID. Pure.
//!
//! A row with a `message` is a line of its task's log. Lines that the original wrote keep their wording.

use serde_json::json;

use crate::models::{Attempt, Event, EventType, Failure, NewTask, TaskId, TaskStatus, Timestamp};
use crate::state::db::raw::id_text::IdText;
use crate::state::journal::insert_log::InsertLog;
use crate::terminal::OutputLine;

/// Characters of a task's content in its TASK_CREATED event.
const CONTENT_PREVIEW_CHARS: usize = 100;

/// A journal row about to be written.
#[derive(Debug)]
pub(crate) struct JournalEntry {
    pub(crate) kind: EventType,
    pub(crate) task_id: Option<TaskId>,
    pub(crate) agent: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) data: String,
    /// `None`: the time of the transaction.
    pub(crate) at: Option<Timestamp>,
    /// The row is written only if the task fulfils this by then.
    pub(crate) guard: Option<EntryGuard>,
}

/// The attempt and the status that a task must have. A change that has lost its race does not fulfil it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EntryGuard {
    pub(crate) attempt: Attempt,
    pub(crate) status: TaskStatus,
}

impl JournalEntry {
    fn of_task(kind: EventType, task_id: TaskId, message: Option<String>, data: String) -> Self {
        Self {
            kind,
            task_id: Some(task_id),
            agent: None,
            message,
            data,
            at: None,
            guard: None,
        }
    }

    pub(crate) fn of_queue(kind: EventType, message: &str, data: serde_json::Value) -> Self {
        Self {
            kind,
            task_id: None,
            agent: None,
            message: Some(message.to_owned()),
            data: data.to_string(),
            at: None,
            guard: None,
        }
    }

    /// A SYSTEM_LOG event with a message and a level. `data` must be an object.
    pub(crate) fn told(level: &str, message: &str, mut data: serde_json::Value) -> Self {
        data["level"] = json!(level);
        Self::of_queue(EventType::SystemLog, message, data)
    }

    /// An audit entry for an action that has no event of its own. `None` if the action is anonymous.
    pub(crate) fn done(by: Option<&str>, message: &str, data: serde_json::Value) -> Option<Self> {
        by.map(|name| Self::told("INFO", message, data).by(Some(name)))
    }

    /// Adds the name of the actor.
    pub(crate) fn by(mut self, by: Option<&str>) -> Self {
        if let (Some(by), Some(fields)) = (by, self.data.strip_suffix('}')) {
            let comma = if fields == "{" { "" } else { "," };
            let name = serde_json::Value::from(by);
            self.data = format!("{fields}{comma}\"by\":{name}}}");
        }
        self
    }

    pub(crate) fn created(task_id: TaskId, task: &NewTask, now: &str) -> Self {
        let line = format!("Task started: {now}");
        let mut data = preview(&task.content);
        if let Some(delay) = task.delay {
            data.pop();
            data.push_str(&format!(",\"delay\":{}}}", delay.as_secs_f64()));
        }
        Self::of_task(EventType::TaskCreated, task_id, Some(line), data)
    }

    pub(crate) fn imported(
        task_id: TaskId,
        content: &str,
        line: Option<String>,
        at: Timestamp,
    ) -> Self {
        let data = preview(content);
        Self {
            at: Some(at),
            ..Self::of_task(EventType::TaskCreated, task_id, line, data)
        }
    }

    pub(crate) fn imported_line(task_id: TaskId, line: String, at: Timestamp) -> Self {
        Self {
            at: Some(at),
            ..Self::of_task(EventType::TaskLog, task_id, Some(line), "{}".to_owned())
        }
    }

    /// Makes the row conditional: it is written only if the attempt has reached `status`.
    pub(crate) fn if_reached(self, attempt: Attempt, status: TaskStatus) -> Self {
        Self {
            guard: Some(EntryGuard { attempt, status }),
            ..self
        }
    }

    pub(crate) fn started(task_id: TaskId, attempt: i64, now: &str) -> Self {
        let line = format!("Processing started: {now}");
        let data = format!("{{\"attempt\":{attempt}}}");
        Self::of_task(EventType::TaskStarted, task_id, Some(line), data)
    }

    pub(crate) fn line(task_id: TaskId, agent: String, line: OutputLine) -> Self {
        let data = line_data(&line);
        Self {
            agent: Some(agent),
            ..Self::of_task(EventType::TaskLog, task_id, Some(line.text), data)
        }
    }

    /// An unfinished line, which is published but never stored.
    pub(crate) fn live_line(task_id: TaskId, agent: String, line: OutputLine) -> Self {
        let data = line_data(&line);
        Self {
            agent: Some(agent),
            ..Self::of_task(EventType::TaskLiveLine, task_id, Some(line.text), data)
        }
    }

    pub(crate) fn progress(task_id: TaskId, progress: f64) -> Self {
        let data = json!({ "progress": progress }).to_string();
        Self::of_task(EventType::TaskProgress, task_id, None, data)
    }

    /// The next piece of a task's answer, which is not a log line.
    pub(crate) fn output(task_id: TaskId, agent: String, text: &str) -> Self {
        let data = json!({ "text": text }).to_string();
        Self {
            agent: Some(agent),
            ..Self::of_task(EventType::TaskOutput, task_id, None, data)
        }
    }

    pub(crate) fn completed(task_id: TaskId, result: &str, now: &str) -> Self {
        let line = format!("Processing completed: {now}");
        let data = format!("{{\"result_length\":{}}}", result.chars().count());
        Self::of_task(EventType::TaskCompleted, task_id, Some(line), data)
    }

    pub(crate) fn failed(task_id: TaskId, failure: Failure, error: &str, now: &str) -> Self {
        if failure == Failure::Aborted {
            let line = format!("Task aborted: {now}");
            return Self::of_task(EventType::TaskAborted, task_id, Some(line), "{}".to_owned());
        }
        let line = format!("Processing failed: {error}");
        let data = json!({ "error": error, "failure": failure }).to_string();
        Self::of_task(EventType::TaskFailed, task_id, Some(line), data)
    }

    /// The task is PENDING again, not before `later`. `because` completes "Attempt 1 …"; `error` is the error of a failed
    /// attempt.
    pub(crate) fn retrying(
        task_id: TaskId,
        attempt: i64,
        because: &str,
        error: Option<&str>,
        later: Option<Timestamp>,
        now: &str,
    ) -> Self {
        let what = match attempt {
            0 => "The task".to_owned(),
            attempt => format!("Attempt {attempt}"),
        };
        let (line, run_at) = match later {
            Some(time) => (
                format!("{what} {because}; the next one is due at {time}"),
                time.to_string(),
            ),
            None => (
                format!("{what} {because}; the task will run again"),
                now.to_owned(),
            ),
        };
        let error = error.unwrap_or(because);
        let data = json!({ "attempt": attempt, "run_at": run_at, "error": error }).to_string();
        Self::of_task(EventType::TaskRetrying, task_id, Some(line), data)
    }

    /// An operator retries the task, not before `run_at` if that is in the future.
    pub(crate) fn retried_by_hand(
        task_id: TaskId,
        attempt: i64,
        run_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let because = match attempt {
            0 => "did not begin and was retried by hand",
            _ => "failed and was retried by hand",
        };
        let now_text = now.to_string();
        let mut row = Self::retrying(task_id, attempt, because, None, None, &now_text);
        let run_at = run_at.max(now);
        let data =
            json!({ "attempt": attempt, "run_at": run_at, "error": because, "by_hand": true });
        row.data = data.to_string();
        row
    }

    /// Returns the row for the SQL.
    pub(crate) fn to_insert(&self) -> InsertLog<'_> {
        InsertLog(
            self.task_id.map(IdText::from),
            self.kind.as_str(),
            self.agent.as_deref(),
            self.message.as_deref(),
            &self.data,
            self.at.map(|time| time.to_string()),
            self.guard.map(|guard| guard.attempt.seq),
            self.guard.map(|guard| guard.attempt.number),
            self.guard.map(|guard| guard.status.as_str()),
        )
    }

    /// Returns whether `event` is this row, read back.
    pub(crate) fn is(&self, event: &Event) -> bool {
        (self.kind, self.task_id, &self.message) == (event.kind, event.task_id, &event.message)
    }

    /// Returns the row as it is read back, once it has an ID.
    pub(crate) fn into_event(self, id: i64, now: Timestamp) -> Event {
        let mut event = Event::new(id, self.kind, self.at.unwrap_or(now), self.data);
        event.task_id = self.task_id;
        event.agent = self.agent;
        event.message = self.message;
        event
    }
}

/// Returns the data of a log line besides its text.
fn line_data(line: &OutputLine) -> String {
    match (&line.ansi, line.replaces) {
        (None, false) => "{}".to_owned(),
        (None, true) => r#"{"replaces":true}"#.to_owned(),
        (Some(ansi), false) => json!({ "ansi": ansi }).to_string(),
        (Some(ansi), true) => json!({ "ansi": ansi, "replaces": true }).to_string(),
    }
}

fn preview(content: &str) -> String {
    let end = content
        .char_indices()
        .nth(CONTENT_PREVIEW_CHARS)
        .map_or(content.len(), |(index, _)| index);
    let text = serde_json::to_string(&content[..end]).expect("a string always encodes");
    format!("{{\"content\":{text}}}")
}
