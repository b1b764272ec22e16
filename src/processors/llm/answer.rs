//! Collects an answer from its events. Pure.
//!
//! Servers follow the API more or less, and an answer that was paid for is not rejected for an odd field: an invalid
//! optional field counts as absent.

use serde_json::Value;

use super::events::AnswerEvent;
use super::failure::{self, ServerFailure};
use crate::processors::llm::truncate::repair;
use crate::processors::llm::unread::Unread;
use crate::processors::llm::usage::Usage;
use crate::processors::text::without_nul;

/// The largest result, in bytes.
pub(crate) const LIMIT_BYTES: usize = 16 << 20;

const DONE: &str = "[DONE]";

/// Values of `finish_reason` that servers send for none.
const NO_REASON: [&str; 4] = ["", "none", "null", "undefined"];

/// The answer received so far.
#[derive(Default)]
pub(crate) struct ModelAnswer {
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
    last_words: Option<ServerFailure>,
}

/// Why an event does not belong to an answer.
#[derive(Debug, PartialEq)]
pub(crate) enum AnswerFault {
    /// The event cannot be parsed; holds the parser's message.
    Unreadable(String),
    Failed(ServerFailure),
}

impl ModelAnswer {
    /// Applies one event; returns the text that it adds.
    ///
    /// # Errors
    /// If it does not belong to an answer, or reports a failure of the server.
    pub(crate) fn take(&mut self, event: &AnswerEvent) -> Result<String, AnswerFault> {
        let data = event.data.trim();
        if data == DONE {
            self.end()?;
            self.is_done = true;
        }
        if data == DONE || data.is_empty() && !event.is_failure {
            return Ok(String::new());
        }
        if event.is_failure && !data.starts_with('{') {
            return Err(AnswerFault::Failed(ServerFailure {
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
    pub(crate) fn end(&mut self) -> Result<(), AnswerFault> {
        match self.last_words.take() {
            Some(failure) => Err(AnswerFault::Failed(failure)),
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

    fn take_object(&mut self, object: &Value, event: &AnswerEvent) -> Result<String, AnswerFault> {
        if let Some(failure) = failure::told_by(object, event.is_failure) {
            return Err(AnswerFault::Failed(failure));
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
                    return Err(AnswerFault::Failed(failure));
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
fn read(data: &str) -> Result<Vec<Value>, AnswerFault> {
    let all = |json: &str| -> serde_json::Result<Vec<Value>> {
        serde_json::Deserializer::from_str(json)
            .into_iter()
            .collect()
    };
    let values = all(data).or_else(|_| all(&repair(data)));
    let values = values.map_err(|error| AnswerFault::Unreadable(error.to_string()))?;
    let objects = values.into_iter().flat_map(|value| match value {
        Value::Array(values) => values,
        value => vec![value],
    });
    let objects: Vec<_> = objects.collect();
    match objects.iter().all(Value::is_object) {
        true => Ok(objects),
        false => Err(AnswerFault::Unreadable("it is no object".to_owned())),
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

#[cfg(test)]
mod tests;
