//! Collects an answer from its events. Pure.
//!
//! Servers follow the API more or less, and an answer that was paid for is not rejected for an odd field: an invalid
//! optional field counts as absent.

use serde_json::Value;

use super::events::Event;
use super::failure::{self, Failure};
use crate::processors::llm::answer_notes::Unread;
use crate::processors::llm::truncate::mend;
use crate::processors::text::without_nul;

/// The largest result, in bytes.
pub(crate) const LIMIT_BYTES: usize = 16 << 20;

const DONE: &str = "[DONE]";

/// Values of `finish_reason` that servers send for none.
const NO_REASON: [&str; 4] = ["", "none", "null", "undefined"];

/// The answer received so far.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) usage: Usage,
    /// The model's name, as the server reports it.
    pub(crate) model: Option<String>,
    pub(crate) finish_reason: Option<String>,
    /// The parts that are not text.
    pub(crate) unread: Unread,
    /// True if the answer exceeds the largest result.
    pub(crate) is_cut: bool,
    is_done: bool,
    /// True if the text came in one piece.
    is_one_message: bool,
    /// A possible failure, which counts if no answer follows it.
    last_words: Option<Failure>,
}

/// The token counts, as far as the server reports them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) completion_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// Why an event does not belong to an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum Fault {
    /// The event cannot be parsed; holds the parser's message.
    Unreadable(String),
    Failed(Failure),
}

impl Usage {
    fn of(counts: &Value) -> Self {
        Self {
            prompt_tokens: whole(&counts["prompt_tokens"]),
            completion_tokens: whole(&counts["completion_tokens"]),
            total_tokens: whole(&counts["total_tokens"]),
        }
    }

    pub(crate) fn total(&self) -> Option<u64> {
        let sum = || Some(self.prompt_tokens?.saturating_add(self.completion_tokens?));
        self.total_tokens.or_else(sum)
    }

    fn is_known(&self) -> bool {
        self.total()
            .or(self.prompt_tokens)
            .or(self.completion_tokens)
            .is_some()
    }
}

impl Answer {
    /// Applies one event; returns the text that it adds.
    ///
    /// # Errors
    /// If it does not belong to an answer, or reports a failure of the server.
    pub(crate) fn take(&mut self, event: &Event) -> Result<String, Fault> {
        let data = event.data.trim();
        if data == DONE {
            self.end()?;
            self.is_done = true;
        }
        if data == DONE || data.is_empty() && !event.is_failure {
            return Ok(String::new());
        }
        if event.is_failure && !data.starts_with('{') {
            return Err(Fault::Failed(Failure {
                words: data.to_owned(),
                is_final: false,
            }));
        }
        let mut grown = String::new();
        for object in &read(data)? {
            grown.push_str(&self.take_object(object, event)?);
        }
        Ok(grown)
    }

    /// Ends the answer.
    ///
    /// # Errors
    /// If the last event may have been a failure.
    pub(crate) fn end(&mut self) -> Result<(), Fault> {
        match self.last_words.take() {
            Some(failure) => Err(Fault::Failed(failure)),
            None => Ok(()),
        }
    }

    /// Returns true if the answer is complete.
    pub(crate) fn is_whole(&self) -> bool {
        self.has_ended() || self.is_one_message || self.finish_reason.is_some()
    }

    /// Returns true if no later event matters.
    pub(crate) fn has_ended(&self) -> bool {
        self.is_done || self.is_cut
    }

    /// Returns true if nothing identifies it as the answer of a model.
    pub(crate) fn is_nothing(&self) -> bool {
        self.text.is_empty() && self.finish_reason.is_none() && !self.usage.is_known()
    }

    fn take_object(&mut self, object: &Value, event: &Event) -> Result<String, Fault> {
        if let Some(failure) = failure::told_by(object, event.is_failure) {
            return Err(Fault::Failed(failure));
        }
        let model = object["model"].as_str().map(str::to_owned);
        self.model = model.or(self.model.take());
        for usage in [&object["x_groq"]["usage"], &object["usage"]] {
            if usage.is_object() {
                self.usage = Usage::of(usage);
            }
        }
        let mut grown = String::new();
        for choice in object["choices"].as_array().into_iter().flatten() {
            if choice["index"].as_f64().unwrap_or_default() == 0.0 {
                if let Some(failure) = failure::of_choice(choice) {
                    return Err(Fault::Failed(failure));
                }
                grown.push_str(&self.take_choice(choice, event.is_document));
            }
        }
        if !grown.is_empty() || self.is_whole() {
            self.last_words = None;
        } else if let Some(failure) = failure::hinted_by(object) {
            self.last_words = Some(failure);
        }
        Ok(grown)
    }

    fn take_choice(&mut self, choice: &Value, is_document: bool) -> String {
        let reason = choice["finish_reason"].as_str().map(str::trim);
        let reason = reason.filter(|reason| {
            !NO_REASON
                .iter()
                .any(|none| none.eq_ignore_ascii_case(reason))
        });
        self.finish_reason = reason.map(str::to_owned).or(self.finish_reason.take());
        let (delta, message) = (&choice["delta"], &choice["message"]);
        let said = match delta.is_object() {
            true => delta,
            false => message,
        };
        self.unread.take(said);
        let mut grown = match (said.is_object(), choice["text"].as_str()) {
            // The older API of completions.
            (false, Some(text)) => text.to_owned(),
            _ => text_of(&said["content"]),
        };
        grown.push_str(said["refusal"].as_str().unwrap_or_default());
        let mut grown = self.grow(without_nul(&grown));
        match (message.is_object(), delta.is_object()) {
            (true, true) => grown.push_str(&self.complete(&text_of(&message["content"]))),
            // In a stream, a message may be one of many and does not say whether more follow.
            (true, false) => self.is_one_message |= is_document,
            (false, _) => {}
        }
        grown
    }

    /// Appends what the whole text, which some servers send at the end of a stream, has beyond the text so far.
    fn complete(&mut self, whole: &str) -> String {
        let whole = without_nul(whole);
        match whole.strip_prefix(self.text.as_str()) {
            Some(missing) => self.grow(missing.to_owned()),
            None => String::new(),
        }
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

/// Parses the objects of an event's data: usually one, a list, or one for each line.
fn read(data: &str) -> Result<Vec<Value>, Fault> {
    let all = |json: &str| -> serde_json::Result<Vec<Value>> {
        serde_json::Deserializer::from_str(json)
            .into_iter()
            .collect()
    };
    let values = all(data).or_else(|_| all(&mend(data)));
    let values = values.map_err(|error| Fault::Unreadable(error.to_string()))?;
    let objects = values.into_iter().flat_map(|value| match value {
        Value::Array(values) => values,
        value => vec![value],
    });
    let objects: Vec<_> = objects.collect();
    match objects.iter().all(Value::is_object) {
        true => Ok(objects),
        false => Err(Fault::Unreadable("it is no object".to_owned())),
    }
}

/// Returns a text, or the joined texts of a list of parts.
fn text_of(content: &Value) -> String {
    let Some(parts) = content.as_array() else {
        return content.as_str().unwrap_or_default().to_owned();
    };
    let texts = parts.iter().filter_map(|part| {
        match part["type"].as_str() {
            None | Some("text" | "output_text") => &part["text"],
            Some("refusal") => &part["refusal"],
            Some(_) => &Value::Null,
        }
        .as_str()
    });
    texts.collect()
}

/// Returns a count, also where it is written as `3.0`.
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

    fn take(answer: &mut Answer, data: &str) -> Result<String, Fault> {
        answer.take(&Event {
            data: data.to_owned(),
            ..Event::default()
        })
    }

    #[test]
    fn deltas_make_a_text_and_the_last_event_the_count() {
        let mut answer = Answer::default();
        let first = r#"{"model":"m-1","choices":[{"delta":{"role":"assistant"}}],"usage":null}"#;
        assert_eq!(take(&mut answer, first).unwrap(), "");
        assert_eq!(take(&mut answer, &delta("Hel")).unwrap(), "Hel");
        assert_eq!(take(&mut answer, &delta("lo")).unwrap(), "lo");
        assert!(!answer.is_whole());
        let last = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        take(&mut answer, last).unwrap();
        assert!(answer.is_whole() && !answer.has_ended());
        let usage = r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#;
        take(&mut answer, usage).unwrap();
        take(&mut answer, "[DONE]").unwrap();
        assert!(answer.has_ended());
        assert_eq!(answer.text, "Hello");
        assert_eq!(answer.usage.total(), Some(5));
        assert_eq!(answer.finish_reason.as_deref(), Some("stop"));
        assert_eq!(answer.model.as_deref(), Some("m-1"));
    }

    #[test]
    fn an_error_in_the_stream_is_one() {
        let mut answer = Answer::default();
        let words = |taken: Result<String, Fault>| match taken {
            Err(Fault::Failed(failure)) => failure.words,
            other => panic!("{other:?}"),
        };
        let error = take(
            &mut answer,
            r#"{"error":{"message":"overloaded","code":503}}"#,
        );
        assert_eq!(words(error), "overloaded");
        let error = take(&mut answer, r#"[{"error":{"message":"in a list"}}]"#);
        assert_eq!(words(error), "in a list");
        let error = take(&mut answer, r#"{"choices":[{"finish_reason":"error"}]}"#);
        assert_eq!(words(error), "finish_reason error");
        for (data, expected) in [
            ("out of memory", "out of memory"),
            (r#"{"message":"m"}"#, "m"),
            ("", ""),
        ] {
            let failed = Event {
                data: data.to_owned(),
                is_failure: true,
                is_document: false,
            };
            assert_eq!(words(answer.take(&failed)), expected);
        }
        for nonsense in ["<html>", "3", "{\"choices\":[", "[3]"] {
            let error = take(&mut answer, nonsense);
            assert!(matches!(error, Err(Fault::Unreadable(_))), "{nonsense}");
        }
        assert!(answer.is_nothing());
    }

    #[test]
    fn a_reason_that_is_none_ends_nothing() {
        let mut answer = Answer::default();
        for none in ["null", "None", "", " "] {
            let choice = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{none}"}}]}}"#);
            take(&mut answer, &choice).unwrap();
            assert!(!answer.is_whole(), "{none:?}");
        }
    }

    #[test]
    fn a_whole_message_at_the_end_of_a_stream_is_taken_once() {
        let mut answer = Answer::default();
        take(&mut answer, &delta("Hel")).unwrap();
        let last = r#"{"choices":[{"delta":{},"message":{"content":"Hello"}}]}"#;
        assert_eq!(take(&mut answer, last).unwrap(), "lo");
        let other = r#"{"choices":[{"delta":{},"message":{"content":"Goodbye"}}]}"#;
        assert_eq!(take(&mut answer, other).unwrap(), "");
        assert_eq!(answer.text, "Hello");
        assert!(!answer.is_whole());
        take(&mut answer, "[DONE]").unwrap();
        assert!(answer.is_whole());
    }

    #[test]
    fn only_a_document_is_whole_by_its_message() {
        let growing = r#"{"choices":[{"delta":{"content":"Hel"},"message":{"content":"Hel"}}]}"#;
        let message = r#"{"choices":[{"message":{"content":"Hel"}}]}"#;
        for (data, is_document, is_whole) in [
            (growing, false, false),
            (message, false, false),
            // A document may have an object for each line.
            (growing, true, false),
            (message, true, true),
        ] {
            let mut answer = Answer::default();
            let event = Event {
                data: data.to_owned(),
                is_failure: false,
                is_document,
            };
            assert_eq!(answer.take(&event).unwrap(), "Hel");
            assert_eq!(answer.is_whole(), is_whole, "{data} {is_document}");
        }
    }

    #[test]
    fn words_of_the_server_are_a_failure_if_no_answer_follows() {
        let queued = r#"{"object":"status","message":"queued, position 3"}"#;
        let failed = |answer: &mut Answer| match answer.end() {
            Err(Fault::Failed(failure)) => Some(failure.words),
            _ => None,
        };
        let mut answer = Answer::default();
        assert_eq!(take(&mut answer, queued).unwrap(), "");
        let waiting = r#"{"choices":[{"delta":{"role":"assistant"}}]}"#;
        take(&mut answer, waiting).unwrap();
        assert_eq!(failed(&mut answer).unwrap(), "queued, position 3");

        take(&mut answer, queued).unwrap();
        take(&mut answer, &delta("Hello")).unwrap();
        assert_eq!(failed(&mut answer), None);

        take(&mut answer, r#"{"message":"the backend went away"}"#).unwrap();
        let error = take(&mut answer, "[DONE]").unwrap_err();
        assert!(matches!(error, Fault::Failed(failure) if failure.words.contains("went away")));

        let last = r#"{"choices":[{"delta":{},"finish_reason":"stop"}]}"#;
        take(&mut answer, last).unwrap();
        take(&mut answer, r#"{"message":"goodbye"}"#).unwrap();
        assert_eq!(failed(&mut answer), None);
    }

    #[test]
    fn texts_stand_in_several_places() {
        for (json, expected) in [
            (
                r#"{"choices":[{"text":"completed","finish_reason":"stop"}]}"#,
                "completed",
            ),
            (
                r#"{"choices":[{"message":{"content":null,"refusal":"No."}}]}"#,
                "No.",
            ),
            (r#"{"choices":[{"delta":{"refusal":"No."}}]}"#, "No."),
            (
                r#"{"choices":[{"message":{"content":[{"type":"output_text","text":"a"},
                 {"type":"refusal","refusal":"b"},{"type":"thinking","text":"c"}]}}]}"#,
                "ab",
            ),
            (
                "{\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n{\"choices\":[{\"delta\":{\"content\":\"b\"}}]}",
                "ab",
            ),
        ] {
            let mut answer = Answer::default();
            assert_eq!(take(&mut answer, json).unwrap(), expected, "{json}");
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
            assert_eq!(take(&mut answer, &usage).unwrap(), "");
            assert_eq!(answer.usage.total(), expected, "{total}");
        }
    }

    #[test]
    fn an_answer_beyond_the_limit_is_cut_and_says_so() {
        let mut answer = Answer::default();
        let piece = delta(&"ä".repeat(1 << 20));
        for _ in 0..8 {
            take(&mut answer, &piece).unwrap();
        }
        assert!(!answer.has_ended());
        assert_eq!(
            take(&mut answer, &piece).unwrap(),
            "\n[result cut at 16777216 bytes]"
        );
        assert!(answer.has_ended());
    }
}
