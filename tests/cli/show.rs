//! show and explain: one task for a person, and why it waits.

use crate::harness::Folder;

const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

#[test]
fn a_finished_task_is_shown_with_its_result() {
    let folder = Folder::new();
    let _service = folder.serve();
    let task = folder.json(&["submit", "--wait", "--json", "--tag", "red", "hello"]);
    let id = task["id"].as_str().unwrap();
    let shown = folder.succeed(&["show", id]);
    for line in [
        &format!("id         {id}"),
        "status     COMPLETED",
        "attempt    1 of 1",
        "tags       red",
        "result     Processed: hello",
    ] {
        assert!(shown.lines().any(|it| it == line), "{line}: {shown}");
    }
    assert!(!shown.contains("\nwaits"), "{shown}");
    assert_eq!(folder.json(&["show", "--json", id]), task);
    assert_eq!(folder.succeed(&["explain", id]), "It is COMPLETED.");
}

#[test]
fn a_waiting_task_is_explained() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause", "--reason", "lunch"]);
    let id = folder.succeed(&["submit", "hello"]);
    let explained = folder.succeed(&["explain", &id]);
    assert!(explained.contains("lunch"), "{explained}");
    let shown = folder.succeed(&["show", &id]);
    assert!(
        shown.contains(&format!("\nreason     {explained}")),
        "{shown}"
    );
    let json = folder.json(&["explain", "--json", &id]);
    assert_eq!(json["reasons"][0]["type"], "paused");
}

#[test]
fn a_task_that_is_not_there_is_one_sentence() {
    let folder = Folder::new();
    let _service = folder.serve();
    for verb in ["show", "explain", "logs", "retry", "delete"] {
        let done = folder.run(&[verb, NOBODY]);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{verb}");
        assert_eq!(done.err, "error: Task not found\n", "{verb}");
    }
}
