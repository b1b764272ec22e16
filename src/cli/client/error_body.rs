//! What a service says when it refuses, in words.

use serde_json::Value;

use crate::models::json::parse;

/// The `detail` of an error's body in words: the sentence, or what is wrong where. If another task is
/// the reason, it is named.
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

/// `body.priority: Input should be …`
fn problem(problem: &Value) -> String {
    if let Some(sentence) = problem.as_str() {
        return sentence.to_owned();
    }
    let place = |part: &Value| match part {
        Value::String(name) => name.clone(),
        other => other.to_string(),
    };
    let loc = problem["loc"].as_array().map(Vec::as_slice);
    let loc: Vec<_> = loc.unwrap_or_default().iter().map(place).collect();
    let msg = problem["msg"].as_str().unwrap_or("is wrong");
    match loc.as_slice() {
        [] => msg.to_owned(),
        loc => format!("{}: {msg}", loc.join(".")),
    }
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
            "a bare sentence"
        ]}"#;
        assert_eq!(
            reason_in(problems).unwrap(),
            "body.content: Field required\nbody.7: JSON decode error\na bare sentence"
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
