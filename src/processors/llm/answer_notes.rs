//! Log lines about the parts of an answer that its result does not show. Pure.

use crate::processors::llm::answer::{LIMIT_BYTES, ModelAnswer};

/// Values of `finish_reason` for an answer that reached the token limit.
const TOO_LONG: [&str; 4] = [
    "length",
    "max_tokens",
    "model_context_window_exceeded",
    "model_length",
];

/// Values of `finish_reason` for an answer that a filter stopped.
const FILTERED: [&str; 8] = [
    "blocklist",
    "content_filter",
    "guardrail_intervened",
    "prohibited_content",
    "recitation",
    "safety",
    "sensitive",
    "spii",
];

/// Returns a line for each fact that the result does not show.
pub(crate) fn of(answer: &ModelAnswer) -> Vec<String> {
    let mut lines = Vec::new();
    let unread = &answer.unread;
    if answer.is_cut {
        lines.push(format!(
            "The answer was truncated: a result holds at most {LIMIT_BYTES} bytes"
        ));
    }
    match answer.finish_reason.as_deref() {
        Some(reason) if is_one_of(reason, &TOO_LONG) => lines.push(format!(
            "The answer was truncated: the model reached its token limit (finish_reason `{reason}`)"
        )),
        Some(reason) if is_one_of(reason, &FILTERED) => lines.push(format!(
            "The answer was truncated: the server's content filter stopped it (finish_reason `{reason}`)"
        )),
        None if !answer.text.is_empty() && !answer.is_cut => {
            lines.push("The model's server sent no finish_reason".to_owned());
        }
        _ => {}
    }
    if unread.is_refusal {
        lines.push("The model refused: the result is its refusal".to_owned());
    }
    if unread.has_tools {
        let names: Vec<_> = unread
            .tools
            .iter()
            .map(|name| format!("`{name}`"))
            .collect();
        let names = match names.is_empty() {
            true => String::new(),
            false => format!(": {}", names.join(", ")),
        };
        lines.push(format!(
            "The model called tools, which this processor does not run{names}"
        ));
    }
    if answer.text.is_empty() {
        lines.push(match unread.reasoning_characters {
            0 => "The answer has no text".to_owned(),
            count => format!(
                "The answer has no text, only reasoning ({count} characters), which is not stored"
            ),
        });
    }
    lines
}

fn is_one_of(reason: &str, known: &[&str]) -> bool {
    known.iter().any(|known| known.eq_ignore_ascii_case(reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::processors::llm::events::AnswerEvent;

    fn remarks(json: &str) -> Vec<String> {
        let mut answer = ModelAnswer::default();
        let (data, is_failure) = (json.to_owned(), false);
        let is_document = false;
        let event = AnswerEvent {
            data,
            is_failure,
            is_document,
        };
        answer.take(&event).unwrap();
        of(&answer)
    }

    fn message(message: &str, reason: &str) -> String {
        format!(r#"{{"choices":[{{"message":{message},"finish_reason":"{reason}"}}]}}"#)
    }

    #[test]
    fn an_ordinary_answer_needs_no_line() {
        assert!(remarks(&message(r#"{"content":"x","reasoning":"hm"}"#, "stop")).is_empty());
        assert!(
            remarks(&message(
                r#"{"content":"x","refusal":null,"tool_calls":[]}"#,
                "eos"
            ))
            .is_empty()
        );
    }

    #[test]
    fn each_line_says_what_is_missing_and_why() {
        for (message, reason, expected) in [
            (
                r#"{"content":"x"}"#,
                "length",
                vec![
                    "The answer was truncated: the model reached its token limit (finish_reason `length`)",
                ],
            ),
            (
                r#"{"content":"x"}"#,
                "SAFETY",
                vec![
                    "The answer was truncated: the server's content filter stopped it (finish_reason `SAFETY`)",
                ],
            ),
            (
                r#"{"content":"x"}"#,
                "null",
                vec!["The model's server sent no finish_reason"],
            ),
            (
                r#"{"refusal":"No."}"#,
                "stop",
                vec!["The model refused: the result is its refusal"],
            ),
            (r#"{"content":""}"#, "stop", vec!["The answer has no text"]),
            (
                r#"{"reasoning_content":"hmm"}"#,
                "stop",
                vec!["The answer has no text, only reasoning (3 characters), which is not stored"],
            ),
            (
                r#"{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}"#,
                "stop",
                vec!["The answer has no text, only reasoning (2 characters), which is not stored"],
            ),
            (
                r#"{"tool_calls":[{"function":{"name":"f"}},{"function":{"arguments":"{}"}}],"function_call":null}"#,
                "tool_calls",
                vec![
                    "The model called tools, which this processor does not run: `f`",
                    "The answer has no text",
                ],
            ),
        ] {
            assert_eq!(
                remarks(&crate::processors::llm::answer_notes::tests::message(
                    message, reason
                )),
                expected,
                "{message}"
            );
        }
    }
}
