//! Truncates the wrong input that an error quotes: enough to recognise it, never all of something large.

use serde_json::{Map, Value};

/// Characters of one text.
const TEXT_CHARS: usize = 200;
/// Characters of all texts, numbers and values together.
const CHARS: usize = 1000;

/// Returns the input, truncated.
pub(crate) fn truncate_input(input: Value) -> Value {
    let mut room = CHARS;
    cut(input, &mut room)
}

/// Returns as much of the value as fits into `room`.
fn cut(value: Value, room: &mut usize) -> Value {
    match value {
        Value::String(text) => Value::String(cut_text(&text, room)),
        // Any number of digits is a number.
        Value::Number(number) if number.as_str().len() > TEXT_CHARS => {
            Value::String(cut_text(number.as_str(), room))
        }
        Value::Array(items) => {
            let mut kept = Vec::new();
            for item in items {
                if *room == 0 {
                    break;
                }
                kept.push(cut(item, room));
            }
            take(1, room);
            Value::Array(kept)
        }
        Value::Object(fields) => {
            let mut kept = Map::new();
            for (name, value) in fields {
                if *room == 0 {
                    break;
                }
                kept.insert(cut_text(&name, room), cut(value, room));
            }
            take(1, room);
            Value::Object(kept)
        }
        other => {
            take(4, room);
            other
        }
    }
}

fn cut_text(text: &str, room: &mut usize) -> String {
    let kept: String = text.chars().take(TEXT_CHARS.min(*room)).collect();
    take(1 + kept.len(), room);
    kept
}

fn take(chars: usize, room: &mut usize) {
    *room = room.saturating_sub(chars);
}
