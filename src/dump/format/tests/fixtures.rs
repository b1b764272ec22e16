//! The frozen dumps read to the tasks that were in them, and leave again as they came.

use serde_json::{Map, Value, json};

use super::{fixture, read_all, write_all};
use crate::dump::format::fields::KNOWN_FIELDS;
use crate::dump::format::inspect;
use crate::dump::format::inspect::Author;
use crate::models::json::RawJson;
use crate::models::{Failure, Task, TaskStatus, Timestamp};

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn read_fixture(name: &str) -> (Vec<Task>, Map<String, Value>) {
    read_all(&fixture(name)).unwrap()
}

/// The one task of ids' last two digits `number`.
#[track_caller]
fn task(tasks: &[Task], number: &str) -> Task {
    let mut found = tasks.iter().filter(|t| t.id.to_string().ends_with(number));
    found.next().unwrap().clone()
}

#[test]
fn first_version_gets_the_defaults() {
    let (tasks, fields) = read_fixture("v1_naive_local_times.json");
    assert_eq!(tasks.len(), 3);
    assert!(fields.is_empty());

    let created_at = time("2025-12-06T14:22:52.927944Z");
    let expected = Task {
        id: "3f0c8d0e-5b1a-4c57-9a3e-0d6a5f1f7b01".parse().unwrap(),
        content: "Napisz haiku o żółwiu 🐢".to_owned(),
        created_at,
        status: TaskStatus::Completed,
        result: Some("Przetworzono: Napisz haiku o żółwiu 🐢".to_owned()),
        logs: vec![
            "Zadanie uruchomione: 2025-12-06T14:22:52.928194".to_owned(),
            "Rozpoczęto przetwarzanie: 2025-12-06T14:22:52.929935".to_owned(),
            "Zakończono przetwarzanie: 2025-12-06T14:22:54.931036".to_owned(),
        ],
        context_history: RawJson::default(),
        context_used: None,
        processor: "echo".to_owned(),
        priority: 0,
        attempt: 1,
        max_attempts: 1,
        run_at: created_at,
        started_at: Some(time("2025-12-06T14:22:52.929935Z")),
        finished_at: Some(time("2025-12-06T14:22:54.931036Z")),
        failure: None,
        error: None,
        progress: None,
        tags: Vec::new(),
        session_id: None,
        timeout: None,
        concurrency_key: None,
        unique_key: None,
        after: Vec::new(),
        extra: RawJson::default(),
    };
    assert_eq!(task(&tasks, "01"), expected);
}

#[test]
fn a_failed_task_of_the_original_keeps_its_result() {
    let (tasks, _) = read_fixture("v1_naive_local_times.json");
    let failed = task(&tasks, "03");
    assert_eq!(failed.status, TaskStatus::Failed);
    assert_eq!(failed.failure, Some(Failure::Error));
    assert_eq!(failed.error, None);
    assert_eq!(failed.result.as_deref(), Some("Błąd: connection refused"));
    assert_eq!(
        failed.finished_at,
        Some(time("2025-12-06T14:24:10.001200Z")),
        "no earlier than it was started"
    );
}

#[test]
fn later_version_keeps_its_contexts() {
    let (tasks, fields) = read_fixture("v2_utc_times_context.json");
    assert_eq!(
        Value::Object(fields),
        json!({"paid_mode_enabled": true, "autonomy_level": 20})
    );
    let completed = task(&tasks, "11");
    assert_eq!(
        completed.context_history.to_value()["session"]["session_id"],
        "session-42"
    );
    assert_eq!(
        completed.context_used.as_ref().map(RawJson::to_value),
        Some(json!({"lessons": ["lesson-7", "lesson-12"], "memory_entries": []}))
    );
    assert_eq!(
        completed.finished_at,
        Some(time("2026-01-18T09:15:33.456789Z"))
    );
    let failed = task(&tasks, "12");
    assert_eq!(failed.created_at, time("2026-01-18T10:00:00Z"));
    assert_eq!(failed.finished_at, Some(failed.created_at));
    assert_eq!((failed.attempt, failed.started_at), (0, None));
}

#[test]
fn no_task_finishes_before_it_was_created() {
    let (tasks, _) = read_fixture("v2_utc_times_context.json");
    let task = task(&tasks, "13");
    assert_eq!(task.finished_at, Some(task.created_at));
}

#[test]
fn tasks_that_ran_wait_again() {
    let (tasks, _) = read_fixture("processing.json");
    for task in &tasks {
        assert_eq!(task.status, TaskStatus::Pending);
        assert_eq!((task.started_at, task.finished_at), (None, None));
        assert_eq!(task.progress, None);
    }
    assert_eq!(task(&tasks, "21").logs.len(), 3);
    assert_eq!(task(&tasks, "21").attempt, 0);
    let ours = task(&tasks, "22");
    assert_eq!((ours.attempt, ours.max_attempts), (2, 3));
    assert_eq!(ours.error.as_deref(), Some("exit status 1"));
    assert_eq!(ours.processor, "summarise");
}

#[test]
fn unknown_fields_come_back_to_the_digit() {
    let (tasks, fields) = read_fixture("unknown_fields.json");
    let extra = tasks[0].extra.to_object();
    let names: Vec<_> = extra.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["forced_tool", "images", "numbers", "policy", "extra"]
    );

    let written = write_all(&tasks, &fields);
    for kept in [
        r#""u64":18446744073709551615"#,
        r#""i64":-9223372036854775808"#,
        r#""more":123456789012345678901234567890"#,
        r#""float":1.0"#,
        r#""float_of_python":1e+16"#,
        r#""exponent":1e-7"#,
        r#""third":0.33333333333333331"#,
        r#""a.b":{"ü":"\u0000😀\"\\"},"":[1,1.0,-0.0,1e+5]}"#,
        r#""scores":[0.1,0.30000000000000004]"#,
        r#""costs": {"spent":1.50,"limit":100000000000000000000}"#,
        r#""schema": {"version":3,"flags":["a",null,{"deep":[[[]],{}]}]}"#,
        r#""autonomy_level": 40"#,
        r#""last_words": null"#,
    ] {
        assert!(written.contains(kept), "{kept} is not in {written}");
    }
    assert_eq!(read_all(written.as_bytes()).unwrap(), (tasks, fields));
}

#[test]
fn what_only_python_reads_is_read() {
    let (tasks, fields) = read_fixture("python_json.json");
    assert_eq!(tasks[0].created_at, time("2026-02-03T10:00:00.25Z"));
    assert_eq!(
        tasks[0].content,
        r#"NaN, Infinity and -Infinity are "words" here"#
    );
    assert_eq!(
        tasks[0].context_history.to_value(),
        json!({"score": null, "best": null, "worst": null, "list": [null, -1]})
    );
    assert_eq!(fields["temperature"], Value::Null);
}

#[test]
fn our_own_dump_round_trips_byte_for_byte() {
    let original = String::from_utf8(fixture("venom_core_1.json")).unwrap();
    let (tasks, fields) = read_fixture("venom_core_1.json");
    assert_eq!(write_all(&tasks, &fields), original);
}

#[test]
fn an_empty_dump_holds_the_originals_defaults() {
    let written = write_all(&[], &Map::new());
    assert_eq!(
        serde_json::from_str::<Value>(&written).unwrap(),
        json!({"tasks": [], "paid_mode_enabled": false, "autonomy_level": 0})
    );
    let (tasks, _) = read_all(written.as_bytes()).unwrap();
    assert!(tasks.is_empty());
}

#[test]
fn a_byte_order_mark_is_tolerated() {
    let mut text = b"\xEF\xBB\xBF".to_vec();
    text.extend(fixture("processing.json"));
    assert_eq!(read_all(&text).unwrap().0.len(), 2);
}

#[test]
fn a_known_name_never_appears_twice() {
    let (mut tasks, _) = read_fixture("venom_core_1.json");
    let mut extra = tasks[0].extra.to_object();
    extra.insert("status".to_owned(), json!("PENDING"));
    extra.insert("colour".to_owned(), json!("red"));
    tasks[0].extra = extra.into();
    let fields = json!({"tasks": "none", "paid_mode_enabled": 1});
    let written = write_all(&tasks[..1], fields.as_object().unwrap());
    for name in ["status", "tasks", "paid_mode_enabled", "colour"] {
        let count = written.matches(&format!("\"{name}\":")).count();
        assert_eq!(count, 1, "{name}");
    }
}

#[test]
fn the_known_fields_are_those_of_a_task() {
    let (tasks, _) = read_fixture("venom_core_1.json");
    let task = Task {
        timeout: Some(1.0),
        concurrency_key: Some(String::new()),
        unique_key: Some(String::new()),
        after: vec![tasks[0].id],
        ..tasks[0].clone()
    };
    let task = serde_json::to_value(task).unwrap();
    let names: Vec<_> = task.as_object().unwrap().keys().collect();
    assert_eq!(names, KNOWN_FIELDS);
}

#[test]
fn our_dumps_are_told_from_the_originals() {
    for (name, author) in [
        ("v1_naive_local_times.json", Author::Foreign),
        ("v2_utc_times_context.json", Author::Foreign),
        ("processing.json", Author::Foreign),
        ("python_json.json", Author::Foreign),
        ("venom_core_1.json", Author::Ours),
    ] {
        let found = inspect(fixture(name).as_slice(), || Ok(())).unwrap();
        assert_eq!(found, author, "{name}");
    }
}
