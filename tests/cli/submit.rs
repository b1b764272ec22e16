//! submit: an id, a result, or a clear failure.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::Folder;

#[test]
fn it_prints_the_id_and_nothing_else() {
    let folder = Folder::new();
    let _service = folder.serve();
    let submitted = folder.run(&["submit", "hello", "world"]);
    assert_eq!((submitted.code, submitted.err.as_str()), (0, ""));
    let id = submitted.out.trim_end();
    assert!(id.parse::<uuid::Uuid>().is_ok(), "{id}");

    let answer = folder.json(&["submit", "--json", "hello"]);
    assert_eq!(answer["status"], "PENDING");
}

#[test]
fn it_waits_for_the_result() {
    let folder = Folder::new();
    let _service = folder.serve();
    let result = folder.succeed(&["submit", "--wait", "hello", "world"]);
    assert_eq!(result, "Processed: hello world");

    let from_stdin = folder.feed(&["submit", "--wait", "-"], "one\ntwo\n");
    assert_eq!(from_stdin.out, "Processed: one\ntwo\n");
}

#[test]
fn every_flag_reaches_the_task() {
    let folder = Folder::new();
    let _service = folder.serve();
    let flags = [
        "--priority",
        "-7",
        "--tag",
        "red",
        "--tag",
        "blue",
        "--session",
        "s1",
    ];
    let more = ["--processor", "echo", "--wait", "--json", "--", "--dashed"];
    let task = folder.json(&[&["submit"][..], &flags, &more].concat());
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task["content"], "--dashed");
    assert_eq!(task["priority"], -7);
    assert_eq!(task["tags"], json!(["red", "blue"]));
    assert_eq!(task["session_id"], "s1");
    assert_eq!(task["processor"], "echo");
}

#[test]
fn a_refusal_says_which_field_and_why() {
    let folder = Folder::new();
    let _service = folder.serve();
    let refused = folder.run(&["submit", "--processor", "nope", "hello"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused.err.starts_with("error: body.processor: "),
        "{refused:?}"
    );
    assert!(refused.err.contains("echo"), "{refused:?}");
}

#[test]
fn a_task_that_fails_makes_the_wait_fail() {
    for json in [false, true] {
        let folder = Folder::new();
        let _service = folder.serve();
        folder.succeed(&["pause"]);
        let flags: &[&str] = if json { &["--json"] } else { &[] };
        let waiting = folder.start(&[&["submit", "--wait", "hello"][..], flags].concat());
        waiting.err.until("is accepted");
        folder.succeed(&["purge"]);

        let failed = waiting.err.next();
        assert!(failed.contains("failed (purged)"), "{failed}");
        let printed = waiting.out.rest();
        assert_eq!(waiting.code(), 1);
        assert_eq!(printed.len(), usize::from(json), "{printed:?}");
    }
}

#[test]
fn a_wait_outlives_the_service() {
    let folder = Folder::new();
    let service = folder.serve();
    folder.succeed(&["pause"]);
    let waiting = folder.start(&["submit", "--wait", "hello"]);
    waiting.err.until("is accepted");
    service.signal(Signal::KILL);
    waiting.err.until("waiting for it");
    drop(service);

    let _service = folder.serve();
    folder.succeed(&["resume"]);
    assert_eq!(waiting.out.next(), "Processed: hello");
    assert_eq!(waiting.code(), 0);
}
