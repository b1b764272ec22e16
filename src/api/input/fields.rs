//! The fields of a JSON body while it is read: the unread fields, and the mistakes so far.

use serde_json::{Map, Value};

use crate::api::error::{ApiError, PROBLEMS_LIMIT, Problem};

/// The fields that nobody has taken, and the mistakes found so far.
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

    /// Returns the fields that nobody has taken.
    ///
    /// # Errors
    /// 422 with every mistake.
    pub(crate) fn finish(self) -> Result<Map<String, Value>, ApiError> {
        if self.problems.is_empty() {
            Ok(self.left)
        } else {
            Err(ApiError::Invalid(self.problems))
        }
    }

    /// Ends like [`Fields::finish`], but refuses the unread fields; `known` are the expected ones.
    pub(crate) fn refuse_others(mut self, known: &[&str]) -> Result<(), ApiError> {
        let expected = known.join(", ");
        let others = std::mem::take(&mut self.left);
        for (name, value) in others.into_iter().take(PROBLEMS_LIMIT) {
            let msg = format!("Unknown field; expected one of {expected}");
            self.refuse(&name, "extra_forbidden", &msg, value);
        }
        self.finish().map(drop)
    }

    /// Notes that the field `name` has a wrong value.
    pub(crate) fn refuse(&mut self, name: &str, kind: &'static str, msg: &str, found: Value) {
        self.problems([Problem::new(kind, &["body", name], msg, found)]);
    }

    /// Notes these mistakes, up to the number that an answer reports.
    pub(crate) fn problems(&mut self, problems: impl IntoIterator<Item = Problem>) {
        let room = PROBLEMS_LIMIT.saturating_sub(self.problems.len());
        self.problems.extend(problems.into_iter().take(room));
    }

    /// Takes the field, if it is there and not null.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        // Not `remove`, which would change the order of the fields that stay.
        self.left
            .shift_remove(name)
            .filter(|value| !value.is_null())
    }

    /// Takes a field that has to be there; notes a missing one. A null counts as missing unless `takes_null`.
    pub(crate) fn take_required(&mut self, name: &str, takes_null: bool) -> Option<Value> {
        match self.left.get(name) {
            None => {}
            Some(Value::Null) if !takes_null => {}
            Some(_) => return self.left.shift_remove(name),
        }
        self.refuse_missing(name);
        self.left.shift_remove(name);
        None
    }

    /// Notes that a required field is missing. The mistake shows the fields that are there.
    pub(crate) fn refuse_missing(&mut self, name: &str) {
        let found = Value::Object(self.left.clone());
        self.refuse(name, "missing", "Field required", found);
    }
}
