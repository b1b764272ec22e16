use serde_json::{Value, json};

use super::*;

const LIMITS: Limits = Limits {
    depth: 4,
    values: 5,
    items: Items::Whole,
    uncounted: None,
};

/// The first fault of a text, and the way to it.
fn first(text: &str, limits: Limits) -> Option<(Fault, Vec<Step>)> {
    let scanned = scan(text.as_bytes(), limits, |found| {
        Err((found.fault, found.path()))
    });
    scanned.err()
}

fn fields(names: &[&str]) -> Vec<Step> {
    let names = names.iter().map(|name| Step::Field((*name).to_owned()));
    names.collect()
}

#[test]
fn common_json_has_no_fault() {
    for text in [
        "",
        "null",
        "-1.5e300",
        r#"{"a": [1, {"b": "\ud83d\ude00 \\ud83d \"\\"}], "c": 18446744073709551615}"#,
        &"9".repeat(300),
        "  [true, false]",
        // No JSON: the parser's to say.
        "[[[",
        "\"",
        "\"\\",
        "\"\\u12",
        "{\"a",
        "}}]",
        "tru",
        "1.",
    ] {
        assert_eq!(first(text, LIMITS), None, "{text}");
    }
}

#[test]
fn a_number_that_some_readers_cannot_take_is_found_where_it_stands() {
    for number in [
        "9".repeat(301),
        "-1e400".to_owned(),
        format!("0.{}", "1".repeat(300)),
    ] {
        let text = format!(r#"{{"x": [0, {{"a.b": {number}}}]}}"#);
        let path = [fields(&["x"]), vec![Step::Index(1)], fields(&["a.b"])].concat();
        assert_eq!(first(&text, LIMITS), Some((Fault::Number, path)), "{text}");
    }
}

#[test]
fn half_a_surrogate_pair_is_found_in_values_and_names() {
    for half in [
        r"\ud83d",
        r"\uDE00",
        r"\ud83d\ud83d\ude00",
        r"\ud83d\u0041",
        r"\ud83dx",
        r"\\\ude00",
    ] {
        let value = format!(r#"{{"x": "a{half}"}}"#);
        assert_eq!(
            first(&value, LIMITS),
            Some((Fault::Surrogate, fields(&["x"]))),
            "{value}"
        );
        let name = format!(r#"{{"x": {{"{half}": 1}}}}"#);
        assert_eq!(
            first(&name, LIMITS),
            Some((Fault::Surrogate, fields(&["x"]))),
            "{name}"
        );
    }
}

#[test]
fn what_is_too_deep_or_too_much_is_found() {
    assert_eq!(first("[[[[1]]]]", LIMITS), None);
    let deep = first(r#"{"a": [[["]", [1]]]]}"#, LIMITS);
    let path = [
        fields(&["a"]),
        vec![Step::Index(0), Step::Index(0), Step::Index(1)],
    ]
    .concat();
    assert_eq!(deep, Some((Fault::TooDeep, path)));
    assert_eq!(first(r#"{"a": [1, 2], "b": {"c": 3}}"#, LIMITS), None);
    let many = first("[1, 2, 3, 4, 5, 6]", LIMITS);
    assert_eq!(many, Some((Fault::TooManyValues, vec![Step::Index(5)])));
    let free = Limits {
        uncounted: Some("result"),
        ..LIMITS
    };
    assert_eq!(
        first(r#"{"result": [1, 2, 3, 4, 5, 6, 7], "a": 1}"#, free),
        None
    );
    let many = first(r#"{"result": 1, "a": [2, 3, 4, 5, 6, 7]}"#, free);
    assert_eq!(many.unwrap().0, Fault::TooManyValues);
}

#[test]
fn each_entry_of_a_list_has_values_of_its_own() {
    let limits = Limits {
        items: Items::InList(3),
        ..LIMITS
    };
    assert_eq!(
        first(
            r#"{"tasks": [[1, 2, 3, 4, 5], [1, 2, 3, 4, 5], 1]}"#,
            limits
        ),
        None
    );
    let path = |index| [fields(&["tasks"]), vec![Step::Index(index)]].concat();
    let many = first(r#"{"tasks": [[1], [1, 2, 3, 4, 5, 6]]}"#, limits).unwrap();
    assert_eq!((many.0, &many.1[..2]), (Fault::TooManyValues, &path(1)[..]));
    let many = first(r#"{"tasks": [1, 2, 3, 4]}"#, limits);
    assert_eq!(many, Some((Fault::TooManyItems, path(3))));
    let outside = first(
        r#"{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}"#,
        limits,
    );
    assert_eq!(outside.unwrap().0, Fault::TooManyValues);
}

#[test]
fn mended_text_has_no_fault_and_keeps_what_it_can() {
    assert_eq!(mended(r#"{"a": ["\ud83d\ude00", 1e300]}"#), None);
    let deep = format!("{}\"\\ud83d\"{}", "[".repeat(200), "]".repeat(200));
    let long = "7".repeat(4301);
    let text = format!(r#"{{"\ud83dé": "x\udc00", "n": {long}, "d": {deep}, "z": true}}"#);
    let (text, why) = mended(&text).unwrap();
    assert!(why.contains("\\ud83d"), "{why}");
    assert_eq!(mended(&text), None);
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read["\u{fffd}é"], "x\u{fffd}");
    assert_eq!(read["n"], json!(long));
    assert_eq!(read["z"], true);
}

#[test]
fn worker_texts_get_whole_characters_and_nothing_else_changes() {
    assert_eq!(with_whole_characters(br#"{"a": "\ud83d\ude00"}"#), None);
    let (text, count) =
        with_whole_characters(br#"{"a": "\ud83d", "b": "\\ud83d\udc00", "n": 1e999}"#).unwrap();
    assert_eq!(count, 2);
    assert_eq!(
        text,
        br#"{"a": "\ufffd", "b": "\\ud83d\ufffd", "n": 1e999}"#
    );
}

#[test]
fn blanks_between_values_go_and_those_in_texts_stay() {
    let text = "{ \"a b\" : [ 1 ,\n\t\" \\\" \\\\\" , null ] }";
    assert_eq!(compact(text), r#"{"a b":[1," \" \\",null]}"#);
}

#[test]
fn raw_json_is_written_as_it_came() {
    let text = r#"{"n": 1.50, "list": [1,  2]}"#;
    let raw = RawJson::from_text(text.to_owned()).unwrap();
    assert_eq!(serde_json::to_string(&raw).unwrap(), text);
    assert_eq!(serde_json::to_value(&raw).unwrap(), raw.to_value());
    let read: RawJson = serde_json::from_value(raw.to_value()).unwrap();
    assert_eq!(read.to_value(), raw.to_value());
    let empty: RawJson = serde_json::from_str("{}").unwrap();
    assert!(empty.is_empty());
    assert_eq!(serde_json::to_string(&empty).unwrap(), "{}");
    assert_eq!(serde_json::from_value::<RawJson>(json!({})).unwrap(), empty);
    assert!(RawJson::from_text("{".to_owned()).is_err());
}
