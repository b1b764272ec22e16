//! The answer, gathered from the events of a stream. Pure.
//!
//! Servers follow the API more or less, and an answer that was paid for is not thrown away for a number
//! in another form: what is odd and can be done without counts as absent.

use serde_json::Value;

use super::mend::mend;
use crate::processors::without_nul;

/// The result takes this much of an answer.
const LIMIT_BYTES: usize = 16 << 20;

const DONE: &str = "[DONE]";

/// What has come of an answer.
#[derive(Default)]
pub(super) struct Answer {
    pub text: String,
    pub usage: Usage,
    /// As the server calls it.
    pub model: Option<String>,
    pub finish_reason: Option<String>,
    is_done: bool,
    is_cut: bool,
}

/// Tokens, as far as the server has counted them.
#[derive(Clone, Copy, Default)]
pub(super) struct Usage {
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// Why an event is none that belongs to an answer.
#[derive(Debug, PartialEq, thiserror::Error)]
pub(super) enum Fault {
    /// With the parser's words.
    #[error("the answer has an event in it that cannot be read: {0}")]
    Unreadable(String),
    /// With the server's own words, which are not fit to be shown as they are.
    #[error("the model's server failed: {0}")]
    Failed(String),
}

impl Usage {
    fn of(counts: &Value) -> Self {
        Self {
            prompt_tokens: whole(&counts["prompt_tokens"]),
            completion_tokens: whole(&counts["completion_tokens"]),
            total_tokens: whole(&counts["total_tokens"]),
        }
    }

    pub fn total(&self) -> Option<u64> {
        let sum = || Some(self.prompt_tokens?.saturating_add(self.completion_tokens?));
        self.total_tokens.or_else(sum)
    }
}

impl Answer {
    /// Takes the data of one event; by what the text has grown.
    ///
    /// # Errors
    /// When it is none that belongs to an answer, or says that the server has failed.
    pub fn take(&mut self, data: &str) -> Result<String, Fault> {
        let data = data.trim();
        if data == DONE {
            self.is_done = true;
        }
        if data.is_empty() || data == DONE {
            return Ok(String::new());
        }
        let chunk = read(data)?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(Fault::Failed(error_message(error)));
        }
        let model = chunk["model"].as_str().map(str::to_owned);
        self.model = model.or(self.model.take());
        if chunk["usage"].is_object() {
            self.usage = Usage::of(&chunk["usage"]);
        }
        let mut grown = String::new();
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            if choice["index"].as_f64().unwrap_or_default() == 0.0 {
                grown.push_str(&self.take_choice(choice));
            }
        }
        Ok(grown)
    }

    /// Whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.is_done || self.is_cut || self.finish_reason.is_some()
    }

    /// Whether nothing that follows matters.
    pub fn has_ended(&self) -> bool {
        self.is_done || self.is_cut
    }

    fn take_choice(&mut self, choice: &Value) -> String {
        let reason = choice["finish_reason"].as_str();
        let reason = reason.filter(|reason| !reason.is_empty());
        self.finish_reason = reason.map(str::to_owned).or(self.finish_reason.take());
        // The first is in a stream, the second in a document.
        let message = match choice["delta"].is_object() {
            true => &choice["delta"],
            false => &choice["message"],
        };
        self.grow(without_nul(&text_of(&message["content"])))
    }

    fn grow(&mut self, mut grown: String) -> String {
        let room = LIMIT_BYTES.saturating_sub(self.text.len());
        if grown.len() > room {
            grown.truncate(grown.floor_char_boundary(room));
            grown.push_str(&format!("\n[result cut at {LIMIT_BYTES} bytes]"));
            self.is_cut = true;
        }
        self.text.push_str(&grown);
        grown
    }
}

fn read(data: &str) -> Result<Value, Fault> {
    let chunk = serde_json::from_str(data).or_else(|_| serde_json::from_str(&mend(data)));
    let chunk: Value = chunk.map_err(|error| Fault::Unreadable(error.to_string()))?;
    match chunk.is_object() {
        true => Ok(chunk),
        false => Err(Fault::Unreadable("it is no object".to_owned())),
    }
}

/// The message of an error object, in whatever shape the server has it.
fn error_message(error: &Value) -> String {
    let message = error.get("message").unwrap_or(error);
    match message.as_str() {
        Some(text) => text.to_owned(),
        None => message.to_string(),
    }
}

/// A text, or a list of parts of which some are.
fn text_of(content: &Value) -> String {
    let Some(parts) = content.as_array() else {
        return content.as_str().unwrap_or_default().to_owned();
    };
    let is_text = |part: &&Value| part["type"].as_str().is_none_or(|kind| kind == "text");
    let texts = parts.iter().filter(is_text);
    texts.filter_map(|part| part["text"].as_str()).collect()
}

/// A number of things, also where it is written as `3.0`.
fn whole(number: &Value) -> Option<u64> {
    let float = || {
        number
            .as_f64()
            .filter(|float| *float >= 0.0 && float.fract() == 0.0)
    };
    number
        .as_u64()
        .or_else(|| float().map(|float| float as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(text: &str) -> String {
        let text = Value::from(text);
        format!(
            r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}},"finish_reason":null}}]}}"#
        )
    }

    #[test]
    fn deltas_make_a_text_and_the_last_event_the_count() {
        let mut answer = Answer::default();
        let first = r#"{"model":"m-1","choices":[{"delta":{"role":"assistant"}}],"usage":null}"#;
        assert_eq!(answer.take(first).unwrap(), "");
        assert_eq!(answer.take(&delta("Hel")).unwrap(), "Hel");
        assert_eq!(answer.take(&delta("lo")).unwrap(), "lo");
        assert!(!answer.is_whole());
        let last = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        answer.take(last).unwrap();
        assert!(answer.is_whole() && !answer.has_ended());
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        answer.take(usage).unwrap();
        answer.take("[DONE]").unwrap();
        assert!(answer.has_ended());
        assert_eq!(answer.text, "Hello");
        assert_eq!(answer.usage.total(), Some(5));
        assert_eq!(answer.finish_reason.as_deref(), Some("stop"));
        assert_eq!(answer.model.as_deref(), Some("m-1"));
    }

    #[test]
    fn an_error_in_the_stream_is_one() {
        let mut answer = Answer::default();
        let failed = |words: &str| Err(Fault::Failed(words.to_owned()));
        let error = answer.take(r#"{"error":{"message":"overloaded","code":503}}"#);
        assert_eq!(error, failed("overloaded"));
        let error = answer.take(r#"{"error":"no such model"}"#);
        assert_eq!(error, failed("no such model"));
        for nonsense in ["<html>", "3", "{\"choices\":[", "[]"] {
            let error = answer.take(nonsense);
            assert!(matches!(error, Err(Fault::Unreadable(_))), "{nonsense}");
        }
    }

    #[test]
    fn numbers_that_are_none_are_absent() {
        let mut answer = Answer::default();
        for (total, expected) in [
            ("3.0", Some(3)),
            ("-1", None),
            ("1.5", None),
            ("\"3\"", None),
        ] {
            let usage = format!(r#"{{"usage":{{"total_tokens":{total}}}}}"#);
            assert_eq!(answer.take(&usage).unwrap(), "");
            assert_eq!(answer.usage.total(), expected, "{total}");
        }
    }

    #[test]
    fn an_answer_beyond_the_limit_is_cut_and_says_so() {
        let mut answer = Answer::default();
        let piece = delta(&"ä".repeat(1 << 20));
        for _ in 0..8 {
            answer.take(&piece).unwrap();
        }
        assert!(!answer.has_ended());
        assert_eq!(
            answer.take(&piece).unwrap(),
            "\n[result cut at 16777216 bytes]"
        );
        assert!(answer.has_ended());
    }
}
