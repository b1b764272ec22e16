//! Reads the body of an error response, for a message to the person at the terminal.

use serde_json::Value;

use crate::models::json::parse;

/// Returns the `detail` of an error body as text: its sentence, or one line for each problem. Adds the id of
/// the task in conflict if the sentence does not name it. `None` if the body has no such detail.
pub(crate) fn reason_in(body: &[u8]) -> Option<String> {
    let body = parse(body).ok()?;
    match &body["detail"] {
        Value::String(sentence) => Some(naming(sentence, body["task_id"].as_str())),
        Value::Array(problems) => {
            let words: Vec<_> = problems.iter().map(problem).collect();
            Some(words.join("\n"))
        }
        _ => None,
    }
}

fn naming(sentence: &str, task: Option<&str>) -> String {
    match task {
        Some(id) if !sentence.contains(id) => format!("{sentence} The task is {id}."),
        _ => sentence.to_owned(),
    }
}

/// Formats one problem as `--priority: Input should be …`.
fn problem(problem: &Value) -> String {
    if let Some(sentence) = problem.as_str() {
        return sentence.to_owned();
    }
    let loc = problem["loc"].as_array().map(Vec::as_slice);
    let msg = problem["msg"].as_str().unwrap_or("is wrong");
    match location(loc.unwrap_or_default()) {
        Some(location) => format!("{location}: {msg}"),
        None => msg.to_owned(),
    }
}

/// Names the place of a problem as the person has typed it: a flag, a task of a batch file, or a field.
fn location(loc: &[Value]) -> Option<String> {
    let loc = match loc {
        [part, rest @ ..] if ["body", "query", "path"].iter().any(|it| part == it) => rest,
        all => all,
    };
    let name = |part: &Value| match part {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    match loc {
        [] => None,
        [Value::Number(position)] => Some(format!("position {position}")),
        [tasks, Value::Number(index), rest @ ..] if tasks == "tasks" => {
            let task = format!("task {}", index.as_u64().unwrap_or(0).saturating_add(1));
            let rest: Vec<_> = rest.iter().map(name).collect();
            match rest.is_empty() {
                true => Some(task),
                false => Some(format!("{task}, {}", rest.join("."))),
            }
        }
        [data, field, ..] if data == "data" => Some(flag(&name(field))),
        [field, ..] if name(field) != flag(&name(field)) => Some(flag(&name(field))),
        loc => Some(loc.iter().map(name).collect::<Vec<_>>().join(".")),
    }
}

/// Returns the flag that sets a field of the API, or the field itself if no flag does.
fn flag(field: &str) -> String {
    let flag = match field {
        "run_at" => "at",
        "concurrency_key" => "key",
        "unique_key" => "unique",
        "tags" => "tag",
        "session_id" => "session",
        "q" => "search",
        "max_attempts" => "max-attempts",
        "processor" | "priority" | "delay" | "timeout" | "after" | "until" | "reason"
        | "status" | "failure" | "tag" | "since" | "limit" => field,
        other => return other.to_owned(),
    };
    format!("--{flag}")
}

#[cfg(test)]
mod tests {
    use super::reason_in;

    #[test]
    fn details_become_words() {
        let sentence = br#"{"detail": "Task not found"}"#;
        assert_eq!(reason_in(sentence).unwrap(), "Task not found");
        let problems = br#"{"detail": [
            {"type": "missing", "loc": ["body", "content"], "msg": "Field required", "input": {}},
            {"type": "json_invalid", "loc": ["body", 7], "msg": "JSON decode error", "input": {}},
            {"type": "missing", "loc": ["body", "tasks", 1, "content"], "msg": "Field required"},
            {"type": "value_error", "loc": ["body", "run_at"], "msg": "Input should be a time"},
            "a bare sentence"
        ]}"#;
        assert_eq!(
            reason_in(problems).unwrap(),
            "content: Field required\nposition 7: JSON decode error\ntask 2, content: Field required\n\
             --at: Input should be a time\na bare sentence"
        );
    }

    #[test]
    fn the_task_in_the_way_is_named_once() {
        let unnamed = br#"{"detail": "The key is taken.", "task_id": "T1"}"#;
        let words = "The key is taken. The task is T1.";
        assert_eq!(reason_in(unnamed).unwrap(), words);
        let named = br#"{"detail": "The task T1 has this key.", "task_id": "T1"}"#;
        assert_eq!(reason_in(named).unwrap(), "The task T1 has this key.");
    }

    #[test]
    fn other_bodies_give_no_reason() {
        for body in ["", "<html>", "{}", "[]", r#"{"detail": 1}"#] {
            assert_eq!(reason_in(body.as_bytes()), None, "{body}");
        }
    }
}
