//! The fields of a JSON body, taken out one by one: each of its type, every mistake collected.

use serde_json::{Map, Value, json};

use crate::api::auth::caller::Caller;
use crate::api::error::{ApiError, PROBLEMS_LIMIT, Problem};
use crate::models::task_limits::{NAME_CHARS, TAGS_LIMIT};
use crate::models::{TaskId, Timestamp};
use crate::processors::Registry;

/// What is left of a body, and what was wrong with it so far.
pub(crate) struct Fields {
    left: Map<String, Value>,
    problems: Vec<Problem>,
}

impl Fields {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self {
            left: fields,
            problems: Vec::new(),
        }
    }

    /// The fields that nobody asked for.
    ///
    /// # Errors
    /// Every mistake found.
    pub(crate) fn finish(self) -> Result<Map<String, Value>, ApiError> {
        if self.problems.is_empty() {
            Ok(self.left)
        } else {
            Err(ApiError::Invalid(self.problems))
        }
    }

    /// Like [`Fields::finish`], where no other field than `known` may stand.
    pub(crate) fn refuse_others(mut self, known: &[&str]) -> Result<(), ApiError> {
        let expected = known.join(", ");
        let others = std::mem::take(&mut self.left);
        for (name, value) in others.into_iter().take(PROBLEMS_LIMIT) {
            let msg = format!("Unknown field; expected one of {expected}");
            self.refuse(&name, "extra_forbidden", &msg, value);
        }
        self.finish().map(drop)
    }

    /// The mistake that `name` has this value.
    pub(crate) fn refuse(&mut self, name: &str, kind: &'static str, msg: &str, found: Value) {
        self.problems([Problem::new(kind, &["body", name], msg, found)]);
    }

    /// Notes as many of these as are told; the others are not even made.
    pub(crate) fn problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        let room = PROBLEMS_LIMIT.saturating_sub(self.problems.len());
        self.problems.extend(problems.into_iter().take(room));
    }

    /// The field, if it is there and not null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        // Not `remove`, which would change the order of the fields that stay.
        self.left
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// The field as `read` has it; else the mistake that `msg` was expected.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        kind: &'static str,
        msg: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.take(name)?;
        let found = read(&value);
        if found.is_none() {
            self.refuse(name, kind, msg, value);
        }
        found
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        let msg = "Input should be a valid string";
        self.read(name, "string_type", msg, |value| {
            value.as_str().map(str::to_owned)
        })
    }

    /// A text of at most `limit` characters.
    pub(crate) fn short_text(&mut self, name: &str, limit: usize) -> Option<String> {
        let text = self.text(name)?;
        if has_more_chars(&text, limit) {
            let msg = format!("String should have at most {limit} characters");
            self.refuse(name, "string_too_long", &msg, text.into());
            return None;
        }
        Some(text)
    }

    /// A text that names something: not empty, and at most `limit` characters long.
    pub(crate) fn key(&mut self, name: &str, limit: usize) -> Option<String> {
        let msg = format!("Input should be a string of 1 to {limit} characters");
        self.read(name, "string_type", &msg, |value| {
            let text = value.as_str()?;
            let fits = !text.is_empty() && !has_more_chars(text, limit);
            fits.then(|| text.to_owned())
        })
    }

    /// A required text; empty if it is missing, which is a mistake.
    pub(crate) fn required_text(&mut self, name: &str) -> String {
        if self.left.contains_key(name) {
            let value = self.left.shift_remove(name).unwrap_or_default();
            if let Value::String(text) = value {
                return text;
            }
            self.refuse(name, "string_type", "Input should be a valid string", value);
        } else {
            let found = Value::Object(self.left.clone());
            self.refuse(name, "missing", "Field required", found);
        }
        String::new()
    }

    /// What `read` makes of a field that has to be there; it being missing is a mistake.
    pub(crate) fn required<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Self, &str) -> Option<T>,
    ) -> Option<T> {
        if self.left.get(name).is_none_or(Value::is_null) {
            let found = Value::Object(self.left.clone());
            self.left.shift_remove(name);
            self.refuse(name, "missing", "Field required", found);
            return None;
        }
        read(self, name)
    }

    pub(crate) fn whole(&mut self, name: &str, from: i64, to: i64) -> Option<i64> {
        let msg = format!("Input should be a whole number from {from} to {to}");
        self.read(name, "int_range", &msg, |value| {
            let float = || value.as_f64().filter(|number| number.fract() == 0.0);
            let whole = value
                .as_i64()
                .or_else(|| float().map(|number| number as i64));
            whole.filter(|number| (from..=to).contains(number))
        })
    }

    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        let value = self.take(name);
        value.map_or_else(Vec::new, |value| self.texts_of(name, value))
    }

    /// The texts that a field has which was taken.
    pub(crate) fn texts_of(&mut self, name: &str, value: Value) -> Vec<String> {
        let texts = value.as_array().and_then(|items| {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
            texts.collect()
        });
        texts.unwrap_or_else(|| {
            let msg = "Input should be a list of strings";
            self.refuse(name, "list_type", msg, value);
            Vec::new()
        })
    }

    /// The words by which tasks are found: few, and each short.
    pub(crate) fn tags(&mut self) -> Vec<String> {
        let tags = self.texts("tags");
        if tags.len() > TAGS_LIMIT {
            let msg = format!("List should have at most {TAGS_LIMIT} items");
            self.refuse("tags", "too_long", &msg, json!(tags.len()));
            return Vec::new();
        }
        let long = tags.iter().enumerate();
        let long = long.filter(|(_, tag)| has_more_chars(tag, NAME_CHARS));
        self.problems(long.map(|(index, tag)| {
            let msg = format!("String should have at most {NAME_CHARS} characters");
            let mut problem = Problem::new("string_too_long", &["body", "tags"], msg, json!(tag));
            problem.place(json!(index));
            problem
        }));
        tags
    }

    /// Task ids, each once.
    pub(crate) fn ids(&mut self, name: &str) -> Vec<TaskId> {
        let msg = "Input should be a list of task ids (UUIDs), at most 1000";
        let ids = self.read(name, "uuid_parsing", msg, |value| {
            let ids: Vec<TaskId> = serde_json::from_value(value.clone()).ok()?;
            (ids.len() <= 1000).then_some(ids)
        });
        let mut seen = std::collections::HashSet::new();
        let ids = ids.unwrap_or_default().into_iter();
        ids.filter(|id| seen.insert(*id)).collect()
    }

    pub(crate) fn time(&mut self, name: &str) -> Option<Timestamp> {
        let msg = "Input should be a time such as 2026-01-31T12:00:00Z";
        self.read(name, "datetime_parsing", msg, |value| {
            value.as_str()?.parse().ok()
        })
    }

    /// The name of a configured processor. Of those that are none of the caller's business it does not say
    /// whether they are there: [`Caller::check`] refuses them all.
    pub(crate) fn processor(&mut self, registry: &Registry, caller: &Caller) -> Option<String> {
        let name = self.text("processor")?;
        if caller.covers(&name) && registry.get(&name).is_none() {
            self.problems
                .push(unknown_processor(&name, registry, caller));
        }
        Some(name)
    }
}

fn has_more_chars(text: &str, limit: usize) -> bool {
    text.len() > limit && text.chars().nth(limit).is_some()
}

/// The mistake that `processor` names none that is configured.
pub(crate) fn unknown_processor(name: &str, registry: &Registry, caller: &Caller) -> Problem {
    let names = caller.names(registry).join(", ");
    let msg = format!("Input should be the name of a configured processor: {names}");
    Problem::new("enum", &["body", "processor"], msg, json!(name))
}
