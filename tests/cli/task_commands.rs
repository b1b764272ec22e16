//! retry, delete and abort: one task, several, or all that a filter finds.

use serde_json::{Value, json};

use crate::harness::{Done, Folder};
use crate::stub_service::Canned;

const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

/// A service with two tasks that were purged; it is paused.
fn two_purged(folder: &Folder) -> [String; 2] {
    folder.succeed(&["pause"]);
    let ids = ["one", "two"].map(|text| folder.succeed(&["submit", text]));
    folder.succeed(&["purge", "--yes"]);
    ids
}

fn answers(done: &Done) -> Vec<Value> {
    let lines = done.out.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn a_failed_task_waits_again() {
    let folder = Folder::new();
    let _service = folder.serve();
    let [one, two] = two_purged(&folder);
    let retried = folder.run(&["retry", &one]);
    assert_eq!((retried.code, retried.out.as_str()), (0, ""));
    assert!(retried.err.contains("queued"), "{}", retried.err);
    assert_eq!(folder.json(&["show", "--json", &one])["status"], "PENDING");

    let both = folder.run(&["retry", "--json", &one, &two]);
    assert_eq!(both.code, 1);
    let answers = answers(&both);
    assert_eq!(answers[0]["success"], false);
    assert_eq!(answers[0]["task_id"], json!(one));
    assert_eq!(answers[1]["success"], true);
}

#[test]
fn what_happened_to_each_is_said() {
    let folder = Folder::new();
    let _service = folder.serve();
    let [one, two] = two_purged(&folder);
    let deleted = folder.run(&["delete", &one, NOBODY, &two]);
    assert_eq!((deleted.code, deleted.out.as_str()), (1, ""));
    let words = format!(
        "{one}: Task deleted.\n{NOBODY}: error: Task not found\n{two}: Task deleted.\n\
         error: 1 of 3 were rejected\n"
    );
    assert_eq!(deleted.err, words);
    assert_eq!(folder.succeed(&["list", "--json"]), "[]");
}

#[test]
fn a_deletion_has_an_answer_for_machines() {
    let folder = Folder::new();
    let _service = folder.serve();
    let [one, _] = two_purged(&folder);
    let waiting = folder.succeed(&["submit", "x"]);
    let answer = folder.json(&["delete", "--json", &one]);
    assert_eq!(
        answer,
        json!({"success": true, "task_id": one, "message": "Task deleted."})
    );
    let refused = folder.run(&["delete", &waiting]);
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("only a finished task"), "{refused:?}");
}

#[test]
fn a_filter_makes_one_call_for_all() {
    let folder = Folder::new();
    let counted =
        r#"{"matched":2,"changed":0,"dry_run":true,"message":"2 tasks would wait again."}"#;
    for (line, request) in [
        (
            &["retry", "--failed", "--processor", "x", "--dry-run"][..],
            "POST /api/v1/tasks/retry?status=FAILED&processor=x&dry_run=true",
        ),
        (
            &["abort", "--tag", "t", "--yes"],
            "POST /api/v1/tasks/abort?tag=t",
        ),
        (
            &["delete", "--failure", "lost", "--yes"],
            "DELETE /api/v1/tasks?failure=lost",
        ),
    ] {
        let service = Canned::new([("200 OK", counted)]);
        let done = folder.run(&[line, &["--url", &service.url]].concat());
        assert_eq!((done.code, done.out.as_str()), (0, ""), "{done:?}");
        assert_eq!(done.err, "2 tasks would wait again.\n");
        assert_eq!(service.requests(), [request]);
    }
    let service = Canned::new([("200 OK", counted)]);
    let answer = folder.json(&["retry", "--failed", "--json", "--url", &service.url]);
    assert_eq!(answer["matched"], 2);
}

#[test]
fn the_tasks_must_be_named_or_chosen() {
    let folder = Folder::new();
    for verb in ["retry", "delete", "abort"] {
        for (rest, words) in [
            (&[][..], "name tasks by id, or select them"),
            (&["--dry-run"], "name tasks by id, or select them"),
            (&[NOBODY, "--failed"], "not both"),
            (&[NOBODY, "--dry-run"], "cannot be used with"),
            (&["x"], "invalid value 'x'"),
        ] {
            let done = folder.run(&[&[verb], rest].concat());
            assert_eq!((done.code, done.out.as_str()), (2, ""), "{verb} {rest:?}");
            assert!(done.err.contains(words), "{verb} {rest:?}: {done:?}");
        }
    }
}
