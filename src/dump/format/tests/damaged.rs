//! What is no dump is refused with a sentence that names the place.

use std::io::Read;

use super::{DEFAULT_PROCESSOR, fixture, read_all};
use crate::dump::format::error::{Error, Stopped};
use crate::dump::format::{inspect, read};

#[track_caller]
fn refused(source: &[u8]) -> String {
    let error = read_all(source).unwrap_err();
    assert!(error.is_damage(), "{error:?}");
    error.to_string()
}

#[test]
fn every_damaged_file_names_its_place() {
    for (name, beginning) in [
        ("truncated", "tasks[0]: EOF while parsing a list at line 21"),
        ("not_json", "expected value at line 1 column 1"),
        ("empty", "the file is empty"),
        (
            "list",
            r#"invalid type: sequence, expected a JSON object with a "tasks" list"#,
        ),
        ("no_tasks", r#"expected a "tasks" list, found none"#),
        (
            "tasks_no_list",
            "tasks: invalid type: map, expected a list of tasks at line 1",
        ),
        ("tasks_twice", r#"expected one "tasks" list, found two"#),
        (
            "task_no_object",
            r#"tasks[1]: invalid type: string "a task?", expected a map at line 11"#,
        ),
        (
            "status",
            r#"tasks[1].status: expected one of PENDING, PROCESSING, COMPLETED, FAILED, found "RUNNING""#,
        ),
        ("logs", "tasks[0].logs[1]: expected a text, found 2"),
        ("id", r#"tasks[2].id: expected a UUID, found "42""#),
        (
            "no_content",
            "tasks[0].content: expected a text, found nothing",
        ),
        (
            "time",
            r#"tasks[0].created_at: expected a time such as 2026-01-31T12:00:00Z, found "yesterday""#,
        ),
        ("trailing", "trailing characters at line 13 column 1"),
    ] {
        let message = refused(&fixture(&format!("damaged_{name}.json")));
        assert!(message.starts_with(beginning), "{name}: {message}");
    }
}

#[test]
fn fields_of_ours_are_checked_too() {
    for (field, message) in [
        (
            r#""priority": 101"#,
            "priority: expected a whole number from -100 to 100, found 101",
        ),
        (
            r#""attempt": -1"#,
            "attempt: expected a whole number, 0 or more, found -1",
        ),
        (
            r#""progress": 1.5"#,
            "progress: expected a number from 0 to 1, found 1.5",
        ),
        (
            r#""failure": "bad luck""#,
            r#"failure: expected one of error, timeout, aborted, purged, emergency_stop, lost, upstream, found "bad luck""#,
        ),
        (
            r#""context_history": []"#,
            "context_history: expected an object, found a list",
        ),
        (
            r#""tags": {"a": 1}"#,
            "tags: expected a list of texts, found an object",
        ),
        (
            r#""finished_at": 12"#,
            "finished_at: expected a time such as 2026-01-31T12:00:00Z, found 12",
        ),
    ] {
        let text = format!(
            r#"{{"tasks": [{{"id": "7f1b9e52-3c4d-4e5f-8a9b-0c1d2e3f4a91", "content": "", {field}}}]}}"#
        );
        assert_eq!(refused(text.as_bytes()), format!("tasks[0].{message}"));
    }
}

#[test]
fn a_long_value_is_cut_in_the_message() {
    let long = "x".repeat(100_000);
    let text = format!(r#"{{"tasks": [{{"id": "{long}", "content": ""}}]}}"#);
    assert!(refused(text.as_bytes()).len() < 200);
}

#[test]
fn nesting_is_bounded() {
    let deep = format!(
        r#"{{"tasks": [], "x": {}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    assert!(refused(deep.as_bytes()).starts_with("x: recursion limit exceeded"));
}

#[test]
fn what_stands_beside_the_tasks_is_bounded() {
    let endless = br#"{"huge": ["#.chain(std::io::repeat(b' '));
    let error = read(endless, DEFAULT_PROCESSOR, |_, _| Ok(())).unwrap_err();
    assert!(error.is_damage());
    assert_eq!(
        error.to_string(),
        "huge: expected at most 16 MiB besides the tasks"
    );

    let many = format!("{{{}", r#""one": [true, false, null], "#.repeat(700_000));
    assert_eq!(
        refused(many.as_bytes()),
        "one: expected at most 16 MiB besides the tasks"
    );
}

#[test]
fn inspecting_sees_damaged_structure() {
    for name in [
        "truncated",
        "not_json",
        "empty",
        "list",
        "no_tasks",
        "trailing",
    ] {
        let error = inspect(fixture(&format!("damaged_{name}.json")).as_slice(), || {
            Ok(())
        });
        assert!(error.unwrap_err().is_damage(), "{name}");
    }
}

#[test]
fn an_unreadable_file_is_not_called_damaged() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::PermissionDenied.into())
        }
    }
    let error = read(Broken, DEFAULT_PROCESSOR, |_, _| Ok(())).unwrap_err();
    assert!(
        matches!(&error, Error::Io(io) if io.kind() == std::io::ErrorKind::PermissionDenied),
        "{error:?}"
    );
    assert!(!error.is_damage());
}

#[test]
fn whoever_takes_the_tasks_may_stop() {
    let file = fixture("venom_core_1.json");
    let mut taken = 0;
    let stopped = read(file.as_slice(), DEFAULT_PROCESSOR, |_, _| {
        taken += 1;
        if taken < 2 { Ok(()) } else { Err(Stopped) }
    });
    assert!(matches!(stopped, Err(Error::Stopped)));
    assert_eq!(taken, 2);
}
