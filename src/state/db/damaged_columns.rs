//! Repairs damaged columns while they are read, with the least possible loss.
//!
//! Triggers refuse invalid rows. A row that got in before the triggers existed, or while another program had switched
//! them off, affects only its own task: an invalid column is repaired, a row that is no task is left out, and each is
//! logged once. `venom doctor` finds the same rows with the same code.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::models::TaskId;
use crate::models::json;
use crate::models::json::RawJson;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Rows to log at most, so that remembering them takes little memory.
const NAMED_ROWS: usize = 1000;

/// Reads the JSON columns of one row and remembers what it had to repair.
#[derive(Default)]
pub(crate) struct ColumnReader {
    mended: Vec<String>,
}

impl ColumnReader {
    /// Reads a column with a JSON object.
    pub(crate) fn object(&mut self, column: &str, text: Text) -> RawJson {
        let text = String::from(text);
        if text == "{}" {
            return RawJson::default();
        }
        let json = self.json(column, text);
        match json.is_object() {
            true => json,
            false => {
                self.note(column, "expected a JSON object");
                unreadable(json.as_str())
            }
        }
    }

    /// Reads a column with any JSON.
    pub(crate) fn json(&mut self, column: &str, text: String) -> RawJson {
        let text = match json::mended(&text) {
            None => text,
            Some((mended, why)) => {
                self.note(column, &why);
                mended
            }
        };
        RawJson::from_text(text.clone()).unwrap_or_else(|error| {
            self.note(column, &error.to_string());
            unreadable(&text)
        })
    }

    /// Reads a column with a JSON list of strings. Other values become strings.
    pub(crate) fn texts(&mut self, column: &str, text: Text) -> Vec<String> {
        if &*text == "[]" {
            return Vec::new();
        }
        if let Ok(texts) = serde_json::from_str(&text) {
            return texts;
        }
        let json = self.json(column, text.into());
        let value = json.to_value();
        let Value::Array(items) = value else {
            self.note(column, "expected a JSON list of strings");
            return vec![json.as_str().to_owned()];
        };
        if !items.iter().all(Value::is_string) {
            self.note(column, "expected a JSON list of strings");
        }
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => text,
            other => other.to_string(),
        });
        texts.collect()
    }

    /// Reads a column with a JSON list of task IDs. Other values are left out.
    pub(crate) fn ids(&mut self, column: &str, text: Text) -> Vec<TaskId> {
        if let Ok(ids) = serde_json::from_str(&text) {
            return ids;
        }
        self.note(column, "expected a JSON list of task IDs");
        let texts = self.texts(column, text);
        texts.iter().filter_map(|id| id.parse().ok()).collect()
    }

    fn note(&mut self, column: &str, why: &str) {
        self.mended.push(format!("tasks.{column}: {why}"));
    }

    /// Describes the repairs; `None` if there are none.
    pub(crate) fn repairs(self) -> Option<String> {
        (!self.mended.is_empty()).then(|| self.mended.join("; "))
    }

    /// Logs the row if something in it was repaired.
    pub(crate) fn report(self, seq: i64, id: TaskId) {
        if let Some(mended) = self.repairs()
            && is_unlogged(seq)
        {
            tracing::warn!(
                task_id = %id,
                mended,
                "the row of a task has invalid columns; clients get repaired values. Run `venom doctor` to list such rows"
            );
        }
    }
}

/// Returns the value that replaces invalid JSON.
fn unreadable(text: &str) -> RawJson {
    json!({ "unreadable": text }).into()
}

/// Logs a row that is not a task and is left out.
pub(crate) fn left_out(seq: i64, id: &str, error: &Error) {
    if is_unlogged(seq) {
        tracing::error!(
            row = seq,
            task_id = id,
            %error,
            "a row is not a valid task and is left out of lists and dumps. Run `venom doctor` to list such rows"
        );
    }
}

/// Returns whether the row was not logged before. Lists and dumps read the same row many times.
fn is_unlogged(seq: i64) -> bool {
    static NAMED: LazyLock<Mutex<HashSet<i64>>> = LazyLock::new(Mutex::default);
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    named.len() < NAMED_ROWS && named.insert(seq)
}
