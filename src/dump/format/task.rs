//! One entry of a dump as a [`Task`]: types checked, gaps filled, unknown fields kept.
//!
//! What comes out obeys the rules of the database (a final task has `finished_at`, a failed one a
//! `failure`, …), so that a file that was read once can be imported to its last task.

use std::str::FromStr;

use serde_json::{Map, Value};

use super::error::Error;
use crate::models::json::{
    COLUMN_NESTING_LIMIT, Fault as Unfit, Items, Limits, RawJson, Step, VALUES_LIMIT, scan,
};
use crate::models::task_limits::{KEY_CHARS, NAME_CHARS, TAGS_LIMIT};
use crate::models::{Failure, Task, TaskId, TaskStatus, Timestamp};

/// A field that is not what it has to be.
pub(crate) struct Fault {
    /// Such as `status` or `logs[3]`.
    pub(crate) field: String,
    pub(crate) expected: &'static str,
    pub(crate) found: String,
}

impl Fault {
    /// The same as an error about what stands at `place`.
    pub(crate) fn at(self, place: &str) -> Error {
        let Self {
            field,
            expected,
            found,
        } = self;
        let place = match field.is_empty() || field.starts_with('[') {
            true => format!("{place}{field}"),
            false => format!("{place}.{field}"),
        };
        Error::Value {
            place,
            expected,
            found,
        }
    }
}

/// What the lines of a task's log begin with that say when it was created, started and completed:
/// ours and those of the original, which kept no other record of it.
const CREATED_LINES: [&str; 2] = ["Task started: ", "Zadanie uruchomione: "];
const STARTED_LINES: [&str; 2] = ["Processing started: ", "Rozpoczęto przetwarzanie: "];
const COMPLETED_LINES: [&str; 2] = ["Processing completed: ", "Zakończono przetwarzanie: "];

/// The task that `entry` describes; `default_processor` runs it if it names none.
pub(crate) fn from_entry(
    entry: Map<String, Value>,
    default_processor: &str,
) -> Result<Task, Fault> {
    let mut fields = Fields(entry);
    let logs = fields.texts("logs")?;
    let created_at = fields
        .time("created_at")?
        .or_else(|| logs.iter().find_map(|line| time_in(line, CREATED_LINES)))
        .unwrap_or_else(Timestamp::now);
    let task = Task {
        id: fields.required("id", "a UUID", parsed)?,
        content: fields.required("content", "a text", text)?,
        created_at,
        status: fields.status()?,
        result: fields.text("result")?,
        logs,
        context_history: fields.object("context_history")?.unwrap_or_default(),
        context_used: fields.object("context_used")?,
        processor: fields
            .text("processor")?
            .unwrap_or_else(|| default_processor.to_owned()),
        priority: fields.priority()?,
        attempt: fields.count("attempt")?.unwrap_or(0),
        max_attempts: fields.count("max_attempts")?.unwrap_or(1).clamp(1, 1000),
        run_at: fields.time("run_at")?.unwrap_or(created_at),
        started_at: fields.time("started_at")?,
        finished_at: fields.time("finished_at")?,
        failure: fields.failure()?,
        error: fields.text("error")?,
        progress: fields.progress()?,
        tags: fields.tags()?,
        session_id: fields.short("session_id", NAME_CHARS, SESSION)?,
        timeout: fields.timeout()?,
        concurrency_key: fields.short("concurrency_key", KEY_CHARS, KEY)?,
        unique_key: fields.short("unique_key", KEY_CHARS, KEY)?,
        after: fields.ids("after")?,
        extra: kept("", fields.0)?,
    };
    Ok(settle(task))
}

/// Makes the fields that depend on the status agree with it.
fn settle(task: Task) -> Task {
    match task.status {
        TaskStatus::Pending => Task {
            finished_at: None,
            failure: None,
            ..task
        },
        // Whoever ran it does so no more.
        TaskStatus::Processing => Task {
            status: TaskStatus::Pending,
            started_at: None,
            finished_at: None,
            failure: None,
            progress: None,
            ..task
        },
        TaskStatus::Completed => finished(Task {
            failure: None,
            ..task
        }),
        TaskStatus::Failed => {
            let failure = task.failure.unwrap_or(Failure::Error);
            finished(Task {
                failure: Some(failure),
                ..task
            })
        }
    }
}

/// Fills in what the original knew of a finished task only from its log.
///
/// The times of its log lines are naive even where `created_at` is not, so west of Greenwich they
/// may come before it: a task does not finish before it was created.
fn finished(mut task: Task) -> Task {
    if task.finished_at.is_some() {
        return task;
    }
    let last = |beginnings| {
        let mut times = task.logs.iter().rev();
        times
            .find_map(|line| time_in(line, beginnings))
            .map(|time| time.max(task.created_at))
    };
    let started = task.started_at.or_else(|| last(STARTED_LINES));
    let completed = last(COMPLETED_LINES);
    task.started_at = started;
    task.finished_at = completed.max(started).or(Some(task.created_at));
    if task.attempt == 0 && (started.is_some() || task.status == TaskStatus::Completed) {
        task.attempt = 1;
    }
    task
}

fn time_in(line: &str, beginnings: [&str; 2]) -> Option<Timestamp> {
    let time = beginnings
        .into_iter()
        .find_map(|beginning| line.strip_prefix(beginning))?;
    time.trim().parse().ok()
}

/// An entry whose known fields are taken out one by one; what is left is unknown.
struct Fields(Map<String, Value>);

impl Fields {
    /// The field as `convert` reads it, if it is there and not null.
    fn take<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        convert: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Result<Option<T>, Fault> {
        // Not `remove`, which would change the order of the fields that stay.
        match self.0.shift_remove(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => convert(value).map(Some).map_err(|value| Fault {
                field: field.to_owned(),
                expected,
                found: describe(&value),
            }),
        }
    }

    fn required<T>(
        &mut self,
        field: &'static str,
        expected: &'static str,
        convert: impl FnOnce(Value) -> Result<T, Value>,
    ) -> Result<T, Fault> {
        self.take(field, expected, convert)?.ok_or_else(|| Fault {
            field: field.to_owned(),
            expected,
            found: "nothing".to_owned(),
        })
    }

    fn text(&mut self, field: &'static str) -> Result<Option<String>, Fault> {
        self.take(field, "a text or null", text)
    }

    fn texts(&mut self, field: &'static str) -> Result<Vec<String>, Fault> {
        let items = self.take(field, "a list of texts", |value| match value {
            Value::Array(items) => Ok(items),
            other => Err(other),
        })?;
        let items = items.into_iter().flatten().enumerate();
        let texts = items.map(|(index, item)| {
            text(item).map_err(|item| Fault {
                field: format!("{field}[{index}]"),
                expected: "a text",
                found: describe(&item),
            })
        });
        texts.collect()
    }

    /// A text of at most `limit` characters, which is what `expected` says.
    fn short(
        &mut self,
        field: &'static str,
        limit: usize,
        expected: &'static str,
    ) -> Result<Option<String>, Fault> {
        self.take(field, expected, |value| match value {
            Value::String(text) if text.chars().nth(limit).is_none() => Ok(text),
            other => Err(other),
        })
    }

    fn tags(&mut self) -> Result<Vec<String>, Fault> {
        let tags = self.texts("tags")?;
        let fault = |field, found| Fault {
            field,
            expected: "at most 100 tags of at most 200 characters",
            found,
        };
        if tags.len() > TAGS_LIMIT {
            return Err(fault("tags".to_owned(), tags.len().to_string()));
        }
        let long = |tag: &String| tag.chars().nth(NAME_CHARS).is_some();
        match tags.iter().position(long) {
            None => Ok(tags),
            Some(index) => {
                let found = describe(&Value::from(tags[index].as_str()));
                Err(fault(format!("tags[{index}]"), found))
            }
        }
    }

    fn object(&mut self, field: &'static str) -> Result<Option<RawJson>, Fault> {
        let object = self.take(field, "an object", |value| match value {
            Value::Object(object) => Ok(object),
            other => Err(other),
        })?;
        object.map(|object| kept(field, object)).transpose()
    }

    fn time(&mut self, field: &'static str) -> Result<Option<Timestamp>, Fault> {
        self.take(field, "a time such as 2026-01-31T12:00:00Z", parsed)
    }

    fn count(&mut self, field: &'static str) -> Result<Option<i64>, Fault> {
        self.take(field, "a whole number, 0 or more", |value| {
            let count = value.as_i64().filter(|count| *count >= 0);
            count.ok_or(value)
        })
    }

    fn priority(&mut self) -> Result<i64, Fault> {
        let expected = "a whole number from -100 to 100";
        let priority = self.take("priority", expected, |value| {
            let priority = value.as_i64().filter(|n| (-100..=100).contains(n));
            priority.ok_or(value)
        })?;
        Ok(priority.unwrap_or(0))
    }

    fn progress(&mut self) -> Result<Option<f64>, Fault> {
        self.take("progress", "a number from 0 to 1", |value| {
            let progress = value.as_f64().filter(|n| (0.0..=1.0).contains(n));
            progress.ok_or(value)
        })
    }

    fn timeout(&mut self) -> Result<Option<f64>, Fault> {
        self.take("timeout", "a number of seconds above 0, or null", |value| {
            let seconds = value.as_f64().filter(|n| *n > 0.0);
            seconds.ok_or(value)
        })
    }

    fn ids(&mut self, field: &'static str) -> Result<Vec<TaskId>, Fault> {
        let texts = self.texts(field)?.into_iter().enumerate();
        let ids = texts.map(|(index, text)| {
            text.parse().map_err(|_| Fault {
                field: format!("{field}[{index}]"),
                expected: "a UUID",
                found: describe(&Value::String(text)),
            })
        });
        ids.collect()
    }

    fn status(&mut self) -> Result<TaskStatus, Fault> {
        let expected = "one of PENDING, PROCESSING, COMPLETED, FAILED";
        let status = self.take("status", expected, parsed)?;
        Ok(status.unwrap_or(TaskStatus::Pending))
    }

    fn failure(&mut self) -> Result<Option<Failure>, Fault> {
        let expected = "one of error, timeout, aborted, purged, emergency_stop, lost, upstream";
        self.take("failure", expected, parsed)
    }
}

const SESSION: &str = "a text of at most 200 characters, or null";
const KEY: &str = "a text of at most 1000 characters, or null";

/// What is kept of one field.
const KEPT: Limits = Limits {
    depth: COLUMN_NESTING_LIMIT,
    values: VALUES_LIMIT,
    items: Items::Whole,
    uncounted: None,
};

/// Fields that are kept as JSON text, if all readers can take it.
fn kept(field: &str, object: Map<String, Value>) -> Result<RawJson, Fault> {
    let json = RawJson::from(object);
    check(field, &json, KEPT)?;
    Ok(json)
}

/// Refuses a field beside the tasks that some readers of JSON cannot take.
pub(crate) fn check_field(value: &Value) -> Result<(), Fault> {
    let limits = Limits {
        values: usize::MAX,
        ..KEPT
    };
    check("", &RawJson::from(value.clone()), limits)
}

/// Refuses what some readers of JSON cannot take.
fn check(field: &str, json: &RawJson, limits: Limits) -> Result<(), Fault> {
    scan(json.as_str().as_bytes(), limits, |found| {
        let mut place = field.to_owned();
        for step in found.path() {
            match step {
                Step::Field(name) if place.is_empty() => place = name,
                Step::Field(name) => place.push_str(&format!(".{name}")),
                Step::Index(index) => place.push_str(&format!("[{index}]")),
            }
        }
        let (field, expected, found) = match found.fault {
            Unfit::Number | Unfit::Surrogate => {
                let text = String::from_utf8_lossy(found.bytes()).into_owned();
                (place, NUMBER, describe(&Value::String(text)))
            }
            Unfit::TooDeep => (field.to_owned(), DEPTH, "more".to_owned()),
            Unfit::TooManyValues | Unfit::TooManyItems => {
                (field.to_owned(), VALUES, "more".to_owned())
            }
        };
        Err(Fault {
            field,
            expected,
            found,
        })
    })
}

const NUMBER: &str = "a number of at most 300 digits that fits a double";
const DEPTH: &str = "at most 100 levels of lists and objects";
const VALUES: &str = "at most 10000 JSON values";

fn text(value: Value) -> Result<String, Value> {
    match value {
        Value::String(text) => Ok(text),
        other => Err(other),
    }
}

fn parsed<T: FromStr>(value: Value) -> Result<T, Value> {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    parsed.ok_or(value)
}

/// A value as an error names it: short, and not the insides of lists and objects.
fn describe(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().nth(64).is_some() => {
            format!("{:?}…", text.chars().take(64).collect::<String>())
        }
        scalar => scalar.to_string().chars().take(80).collect(),
    }
}
