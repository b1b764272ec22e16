//! From a request's body to a task: every wrong field named, every unknown one kept.

use serde_json::{Map, Value};

use super::error::{ApiError, Problem};
use super::extract::parse_json;
use crate::models::NewTask;
use crate::processors::Registry;

/// Fields of the API's extensions that are not there yet.
const PLANNED: [&str; 7] = [
    "after",
    "concurrency_key",
    "delay",
    "max_attempts",
    "run_at",
    "timeout",
    "unique_key",
];
/// Levels of lists and objects in a field that is kept; JSON readers stop at 128 in all.
const NESTING_LIMIT: usize = 100;

/// Reads `{"content": "…", …}`.
pub(super) fn read_task(body: &[u8], registry: &Registry) -> Result<NewTask, ApiError> {
    let mut fields = match parse_json(body)? {
        Value::Object(fields) => fields,
        other => {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            return Err(Problem::new("model_attributes_type", &["body"], msg, other).into());
        }
    };
    let mut problems = Vec::new();
    let content = content(&mut fields, &mut problems);
    let processor = processor(&mut fields, registry, &mut problems);
    let priority = priority(&mut fields, &mut problems);
    let tags = tags(&mut fields, &mut problems);
    let session_id = optional_text(&mut fields, "session_id", &mut problems);
    refuse_planned(&fields, &mut problems);
    check_depth(&fields, &mut problems);
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    Ok(NewTask {
        content,
        processor,
        priority,
        tags,
        session_id,
        request: fields,
    })
}

/// A field that asks for something this version cannot do must not be accepted as if it did.
fn refuse_planned(fields: &Map<String, Value>, problems: &mut Vec<Problem>) {
    for name in PLANNED {
        if let Some(value) = fields.get(name).filter(|value| !value.is_null()) {
            let msg = "This version does not support the field; leave it out";
            let loc = ["body", name];
            problems.push(Problem::new("extra_forbidden", &loc, msg, value.clone()));
        }
    }
}

/// What is kept must be readable again where it stands deeper: in `context_history`, in a dump.
fn check_depth(fields: &Map<String, Value>, problems: &mut Vec<Problem>) {
    for (name, value) in fields {
        if depth(value) > NESTING_LIMIT {
            let msg = format!("Input should be nested at most {NESTING_LIMIT} levels deep");
            let loc = ["body", name];
            problems.push(Problem::new("recursion_limit", &loc, msg, Value::Null));
        }
    }
}

/// Lists and objects within each other. Recursive, as the parser that bounds it was.
fn depth(value: &Value) -> usize {
    let deepest = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    1 + deepest.unwrap_or(0)
}

fn content(fields: &mut Map<String, Value>, problems: &mut Vec<Problem>) -> String {
    match fields.shift_remove("content") {
        Some(Value::String(content)) => return content,
        Some(other) => problems.push(not_a_string("content", other)),
        None => {
            let found = Value::Object(fields.clone());
            let loc = ["body", "content"];
            problems.push(Problem::new("missing", &loc, "Field required", found));
        }
    }
    String::new()
}

fn processor(
    fields: &mut Map<String, Value>,
    registry: &Registry,
    problems: &mut Vec<Problem>,
) -> String {
    let Some(name) = optional_text(fields, "processor", problems) else {
        return registry.default_name().to_owned();
    };
    if registry.get(&name).is_none() {
        let names = registry.names().join(", ");
        let msg = format!("Input should be the name of a configured processor: {names}");
        let loc = ["body", "processor"];
        problems.push(Problem::new("enum", &loc, msg, Value::String(name.clone())));
    }
    name
}

fn priority(fields: &mut Map<String, Value>, problems: &mut Vec<Problem>) -> i64 {
    let value = match fields.shift_remove("priority") {
        None | Some(Value::Null) => return 0,
        Some(value) => value,
    };
    let whole = value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0)
            .map(|number| number as i64)
    });
    match whole.filter(|priority| (-100..=100).contains(priority)) {
        Some(priority) => priority,
        None => {
            let msg = "Input should be a whole number from -100 to 100";
            problems.push(Problem::new("int_range", &["body", "priority"], msg, value));
            0
        }
    }
}

fn tags(fields: &mut Map<String, Value>, problems: &mut Vec<Problem>) -> Vec<String> {
    let value = match fields.shift_remove("tags") {
        None | Some(Value::Null) => return Vec::new(),
        Some(value) => value,
    };
    match serde_json::from_value(value.clone()) {
        Ok(tags) => tags,
        Err(_) => {
            let msg = "Input should be a list of strings";
            problems.push(Problem::new("list_type", &["body", "tags"], msg, value));
            Vec::new()
        }
    }
}

fn optional_text(
    fields: &mut Map<String, Value>,
    name: &str,
    problems: &mut Vec<Problem>,
) -> Option<String> {
    match fields.shift_remove(name) {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(other) => {
            problems.push(not_a_string(name, other));
            None
        }
    }
}

fn not_a_string(name: &str, found: Value) -> Problem {
    let msg = "Input should be a valid string";
    Problem::new("string_type", &["body", name], msg, found)
}
