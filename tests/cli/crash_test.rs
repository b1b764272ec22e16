//! crash-test: it kills, counts, says that the promise was kept, and leaves nothing behind.

use serde_json::Value;

use crate::harness::Folder;

#[test]
fn the_ledger_says_that_nothing_is_lost() {
    let folder = Folder::new();
    std::fs::create_dir(folder.path("disk")).unwrap();
    let done = folder.run(&[
        "crash-test",
        "--rounds",
        "5",
        "--clients",
        "4",
        "--dir",
        "disk",
        "--json",
    ]);
    assert_eq!(done.code, 0, "{done:?}");
    let ledger: Value = serde_json::from_str(&done.out).unwrap();
    let count = |name: &str| ledger[name].as_u64().unwrap();
    assert_eq!(ledger["kept"], true, "{ledger}");
    assert_eq!(count("kills"), 5);
    assert_eq!(count("found"), count("accepted"));
    assert_eq!(
        count("completed") + count("given_up"),
        count("found") + count("unanswered_found"),
        "{ledger}"
    );
    assert_eq!(done.err.lines().count(), 5, "{done:?}");
    assert_eq!(std::fs::read_dir(folder.path("disk")).unwrap().count(), 0);
}

#[test]
fn the_ledger_is_a_table_for_people() {
    let folder = Folder::new();
    let done = folder.run(&["crash-test", "--rounds", "9", "--seconds", "0"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.out.contains("killed (-9)               1"), "{done:?}");
    assert!(
        done.out.ends_with("nothing accepted is lost.\n"),
        "{done:?}"
    );
}

#[test]
fn mistakes_are_named() {
    let folder = Folder::new();
    let done = folder.run(&["crash-test", "--dir", "nowhere"]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("cannot write to nowhere"), "{done:?}");
    assert_eq!(folder.run(&["crash-test", "--rounds", "0"]).code, 2);
}
