//! The filters of retry and delete, with a service that takes them.

use crate::harness::Folder;

#[test]
fn what_a_filter_finds_is_counted_then_changed() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    folder.succeed(&["submit", "--tag", "red", "one"]);
    folder.succeed(&["submit", "two"]);
    folder.succeed(&["purge", "--yes"]);

    let counted = folder.json(&["retry", "--failed", "--tag", "red", "--dry-run", "--json"]);
    assert_eq!(counted["matched"], 1);
    assert_eq!(counted["changed"], 0);
    assert_eq!(counted["dry_run"], true);
    let retried = folder.json(&["retry", "--failed", "--tag", "red", "--json"]);
    assert_eq!(retried["changed"], 1);
    let deleted = folder.json(&["delete", "--failed", "--json", "--yes"]);
    assert_eq!(deleted["changed"], 1);
    let left = folder.json(&["list", "--json"]);
    assert_eq!(left[0]["content"], "one");
    assert_eq!(left.as_array().unwrap().len(), 1);
}

#[test]
fn what_never_began_is_retried_for_its_time_or_for_now() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    let id = folder.succeed(&["submit", "--delay", "30d", "later"]);
    folder.succeed(&["purge", "--yes"]);
    folder.succeed(&["resume"]);
    let said = folder.run(&["retry", &id]);
    assert!(said.err.contains("queued again"), "{said:?}");
    folder.succeed(&["purge", "--yes"]);
    folder.succeed(&["retry", "--failed", "--now"]);
    let logs = folder.succeed(&["logs", "--follow", &id]);
    assert!(logs.contains("Processing completed"), "{logs}");
}
