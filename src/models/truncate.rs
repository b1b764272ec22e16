//! Truncates texts so that an event has a bounded size, and marks the event as truncated. Pure.
//!
//! Clients limit the size of a message: Python's `websockets` closes the connection at 1 MiB, and would receive the same
//! event again after it reconnects. Nothing is lost, because the task and its log keep the whole text.

use serde_json::{Map, Value};

/// Largest size of an event on the wire.
pub(crate) const EVENT_LIMIT_BYTES: usize = 1 << 20;
/// The field of an event's data with the lengths of its truncated texts.
const TRUNCATED: &str = "truncated";
/// Texts are not truncated below this length.
const SHORTEST_TEXT_BYTES: usize = 64;

/// Returns the object as JSON of at most `limit` bytes. Its longest texts are truncated as needed; `truncated` then has
/// the full length in characters of each, by name, and the `full_lengths` of texts that were truncated before.
pub(crate) fn fit(
    mut object: Map<String, Value>,
    mut full_lengths: Map<String, Value>,
    limit: usize,
) -> String {
    if !full_lengths.is_empty() {
        object.insert(TRUNCATED.to_owned(), full_lengths.clone().into());
    }
    let mut longest_text = limit / 2;
    loop {
        let text = encode(&object);
        if text.len() <= limit {
            return text;
        }
        if longest_text < SHORTEST_TEXT_BYTES {
            object.retain(|name, _| name == "task_id");
            object.insert(TRUNCATED.to_owned(), Value::Bool(true));
            return encode(&object);
        }
        object.remove(TRUNCATED);
        for (name, value) in &mut object {
            truncate_value(value, name, longest_text, &mut full_lengths);
        }
        object.insert(TRUNCATED.to_owned(), full_lengths.clone().into());
        longest_text /= 2;
    }
}

/// Returns the beginning of the text, if it takes more than `limit` bytes in JSON.
pub(crate) fn truncate(text: &str, limit: usize) -> Option<String> {
    let mut length = 0;
    let end = text.char_indices().find_map(|(at, letter)| {
        length += encoded_length(letter);
        (length > limit).then_some(at)
    })?;
    Some(format!("{}…", &text[..end]))
}

/// Returns how many bytes the text takes in JSON, without its quotes.
pub(crate) fn length_in_json(text: &str) -> usize {
    text.chars().map(encoded_length).sum()
}

fn encoded_length(letter: char) -> usize {
    match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..='\u{1f}' => 6,
        _ => letter.len_utf8(),
    }
}

fn truncate_value(
    value: &mut Value,
    name: &str,
    limit: usize,
    full_lengths: &mut Map<String, Value>,
) {
    match value {
        Value::String(text) => {
            if let Some(shorter) = truncate(text, limit) {
                // The length before the first truncation.
                let length = || Value::from(text.chars().count());
                full_lengths.entry(name).or_insert_with(length);
                *text = shorter;
            }
        }
        Value::Array(items) => {
            for (place, item) in items.iter_mut().enumerate() {
                truncate_value(item, &format!("{name}.{place}"), limit, full_lengths);
            }
        }
        Value::Object(fields) => {
            for (field, item) in fields {
                truncate_value(item, &format!("{name}.{field}"), limit, full_lengths);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn encode(object: &Map<String, Value>) -> String {
    serde_json::to_string(object).expect("a JSON object always encodes")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fitted(object: Value, limit: usize) -> Value {
        let Value::Object(object) = object else {
            panic!("{object}");
        };
        let text = fit(object, Map::new(), limit);
        assert!(text.len() <= limit, "{} bytes", text.len());
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_short_object_is_unchanged() {
        let object = json!({"task_id": "T", "error": "x".repeat(900)});
        assert_eq!(fitted(object.clone(), 1_000), object);
    }

    #[test]
    fn long_texts_are_truncated_and_their_lengths_are_given() {
        let object = json!({"task_id": "T", "error": "ż".repeat(3_000), "failure": "error"});
        let cut = fitted(object, 1_000);
        assert_eq!(cut["truncated"], json!({"error": 3_000}));
        assert_eq!(cut["failure"], "error");
        let error = cut["error"].as_str().unwrap();
        assert!(error.starts_with("żżż") && error.ends_with("ż…"), "{error}");
        assert!(error.len() > 400, "{error}");
    }

    #[test]
    fn nested_texts_are_truncated_as_needed() {
        let logs = ["\u{1}".repeat(900), "short".to_owned(), "\"".repeat(900)];
        let cut = fitted(json!({"logs": logs, "a": {"b": "x".repeat(900)}}), 1_000);
        let lengths = json!({"logs.0": 900, "logs.2": 900, "a.b": 900});
        assert_eq!(cut["truncated"], lengths);
        assert_eq!(cut["logs"][1], "short");
    }

    #[test]
    fn an_object_of_many_small_values_keeps_only_the_task_id() {
        let many: Vec<_> = (0..10_000).collect();
        let cut = fitted(json!({"task_id": "T", "many": many}), 1_000);
        assert_eq!(cut, json!({"task_id": "T", "truncated": true}));
    }

    #[test]
    fn texts_that_were_truncated_before_are_listed() {
        let elsewhere = Map::from_iter([("message".to_owned(), json!(7))]);
        let text = fit(Map::new(), elsewhere, 1_000);
        assert_eq!(text, r#"{"truncated":{"message":7}}"#);
    }

    #[test]
    fn lengths_are_those_of_the_encoder() {
        for text in ["", "é\u{7f}日", "\"\\/\n\r\t\u{8}\u{c}", "\0\u{1}\u{1f}"] {
            let encoded = serde_json::to_string(text).unwrap();
            assert_eq!(length_in_json(text) + 2, encoded.len(), "{text:?}");
        }
    }
}
