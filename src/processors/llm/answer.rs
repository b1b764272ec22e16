//! The answer, gathered from the events of a stream. Pure.

use serde::Deserialize;
use serde_json::Value;

use super::error_message;
use crate::processors::RunError;

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
#[derive(Clone, Copy, Default, Deserialize)]
pub(super) struct Usage {
    pub prompt_tokens: Option<u64>,
    pub completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Chunk {
    model: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u64,
    /// In a stream.
    delta: Option<Text>,
    /// In a document.
    message: Option<Text>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    content: Option<String>,
}

impl Usage {
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
    pub fn take(&mut self, data: &str) -> Result<String, String> {
        if data.trim() == DONE {
            self.is_done = true;
            return Ok(String::new());
        }
        if data.trim().is_empty() {
            return Ok(String::new());
        }
        let chunk: Chunk = serde_json::from_str(data).map_err(|error| {
            format!("the answer has an event in it that cannot be read: {error}")
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            let said: String = error_message(&error).chars().take(200).collect();
            return Err(format!("the model's server failed: {said}"));
        }
        self.model = chunk.model.or(self.model.take());
        self.usage = chunk.usage.unwrap_or(self.usage);
        let mut grown = String::new();
        for choice in chunk.choices.unwrap_or_default() {
            if choice.index == 0 {
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

    /// An error if the answer has broken off.
    pub fn check_whole(&self) -> Result<(), RunError> {
        match self.is_whole() {
            true => Ok(()),
            false => Err(RunError::new("the answer broke off before it was whole")),
        }
    }

    fn take_choice(&mut self, choice: Choice) -> String {
        self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        let text = choice.delta.or(choice.message);
        let grown = text.and_then(|text| text.content).unwrap_or_default();
        self.grow(grown.replace('\0', "\u{FFFD}"))
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
        assert!(answer.check_whole().is_err());
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
        let error = answer.take(r#"{"error":{"message":"overloaded","code":503}}"#);
        assert_eq!(error.unwrap_err(), "the model's server failed: overloaded");
        let error = answer.take(r#"{"error":"no such model"}"#).unwrap_err();
        assert_eq!(error, "the model's server failed: no such model");
        assert!(answer.take("<html>").is_err());
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
