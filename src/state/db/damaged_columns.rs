//! Columns that another program may have filled with what no reader can take, read at the least loss.
//!
//! The triggers refuse such rows. One that is there all the same (from before the triggers, or with them
//! switched off) costs nobody but its own task: a column that cannot be passed on as it stands is mended,
//! a row that says no task at all is left out, and each is named once in the service's log. `venom doctor`
//! names them too, by the same reading.

use std::collections::HashSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::models::TaskId;
use crate::models::json;
use crate::models::json::RawJson;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Rows that are named in the log at most, so that the memory of them stays small.
const NAMED_ROWS: usize = 1000;

/// Reads the JSON columns of one row and remembers what it had to mend.
#[derive(Default)]
pub(crate) struct ColumnReader {
    mended: Vec<String>,
}

impl ColumnReader {
    /// A column that holds a JSON object.
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

    /// A column that holds any JSON.
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

    /// A column that holds a JSON list of texts; what is none of these becomes texts.
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
            self.note(column, "expected a JSON list of texts");
            return vec![json.as_str().to_owned()];
        };
        if !items.iter().all(Value::is_string) {
            self.note(column, "expected a JSON list of texts");
        }
        let texts = items.into_iter().map(|item| match item {
            Value::String(text) => text,
            other => other.to_string(),
        });
        texts.collect()
    }

    /// A column that holds a JSON list of task ids; what is none is left out.
    pub(crate) fn ids(&mut self, column: &str, text: Text) -> Vec<TaskId> {
        if let Ok(ids) = serde_json::from_str(&text) {
            return ids;
        }
        self.note(column, "expected a JSON list of task ids");
        let texts = self.texts(column, text);
        texts.iter().filter_map(|id| id.parse().ok()).collect()
    }

    fn note(&mut self, column: &str, why: &str) {
        self.mended.push(format!("tasks.{column}: {why}"));
    }

    /// What was mended, in words; `None` if nothing had to be.
    pub(crate) fn repairs(self) -> Option<String> {
        (!self.mended.is_empty()).then(|| self.mended.join("; "))
    }

    /// Names the row in the log if something in it had to be mended.
    pub(crate) fn report(self, seq: i64, id: TaskId) {
        if let Some(mended) = self.repairs()
            && is_news(seq)
        {
            tracing::warn!(
                task_id = %id,
                mended,
                "a task's row holds what clients cannot read; they get it mended. venom doctor lists such rows"
            );
        }
    }
}

/// What clients get instead of what is no JSON of the right kind.
fn unreadable(text: &str) -> RawJson {
    json!({ "unreadable": text }).into()
}

/// Names a row in the log that cannot be read as a task and is left out.
pub(crate) fn left_out(seq: i64, id: &str, error: &Error) {
    if is_news(seq) {
        tracing::error!(
            row = seq,
            task_id = id,
            %error,
            "a row cannot be read as a task and is left out of lists and dumps. venom doctor lists such rows"
        );
    }
}

/// Whether the row has not been named yet. Lists and dumps read it again and again.
fn is_news(seq: i64) -> bool {
    static NAMED: LazyLock<Mutex<HashSet<i64>>> = LazyLock::new(Mutex::default);
    let mut named = NAMED.lock().unwrap_or_else(PoisonError::into_inner);
    named.len() < NAMED_ROWS && named.insert(seq)
}
