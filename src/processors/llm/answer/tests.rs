//! One answer from its events: texts, ends, failures and odd shapes.

use super::*;

fn delta(text: &str) -> String {
    let text = Value::from(text);
    format!(r#"{{"choices":[{{"index":0,"delta":{{"content":{text}}},"finish_reason":null}}]}}"#)
}

fn take(answer: &mut ModelAnswer, data: &str) -> Result<String, AnswerFault> {
    answer.take(&AnswerEvent {
        data: data.to_owned(),
        ..AnswerEvent::default()
    })
}

#[test]
fn deltas_make_a_text_and_the_last_event_the_count() {
    let mut answer = ModelAnswer::default();
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
    let mut answer = ModelAnswer::default();
    let words = |taken: Result<String, AnswerFault>| match taken {
        Err(AnswerFault::Failed(failure)) => failure.words,
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
        let failed = AnswerEvent {
            data: data.to_owned(),
            is_failure: true,
            is_document: false,
        };
        assert_eq!(words(answer.take(&failed)), expected);
    }
    for nonsense in ["<html>", "3", "{\"choices\":[", "[3]"] {
        let error = take(&mut answer, nonsense);
        assert!(
            matches!(error, Err(AnswerFault::Unreadable(_))),
            "{nonsense}"
        );
    }
    assert!(answer.is_nothing());
}

#[test]
fn a_reason_that_is_none_ends_nothing() {
    let mut answer = ModelAnswer::default();
    for none in ["null", "None", "", " "] {
        let choice = format!(r#"{{"choices":[{{"delta":{{}},"finish_reason":"{none}"}}]}}"#);
        take(&mut answer, &choice).unwrap();
        assert!(!answer.is_whole(), "{none:?}");
    }
}

#[test]
fn a_whole_message_at_the_end_of_a_stream_is_taken_once() {
    let mut answer = ModelAnswer::default();
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
        let mut answer = ModelAnswer::default();
        let event = AnswerEvent {
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
    let failed = |answer: &mut ModelAnswer| match answer.end() {
        Err(AnswerFault::Failed(failure)) => Some(failure.words),
        _ => None,
    };
    let mut answer = ModelAnswer::default();
    assert_eq!(take(&mut answer, queued).unwrap(), "");
    let waiting = r#"{"choices":[{"delta":{"role":"assistant"}}]}"#;
    take(&mut answer, waiting).unwrap();
    assert_eq!(failed(&mut answer).unwrap(), "queued, position 3");

    take(&mut answer, queued).unwrap();
    take(&mut answer, &delta("Hello")).unwrap();
    assert_eq!(failed(&mut answer), None);

    take(&mut answer, r#"{"message":"the backend went away"}"#).unwrap();
    let error = take(&mut answer, "[DONE]").unwrap_err();
    assert!(matches!(error, AnswerFault::Failed(failure) if failure.words.contains("went away")));

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
        let mut answer = ModelAnswer::default();
        assert_eq!(take(&mut answer, json).unwrap(), expected, "{json}");
    }
}

#[test]
fn numbers_that_are_none_are_absent() {
    let mut answer = ModelAnswer::default();
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
    let mut answer = ModelAnswer::default();
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
