//! Commands that go to the database file, when the service that runs has another one open.

use crate::harness::{Folder, Running};

fn serving() -> (Folder, Running) {
    let folder = Folder::new();
    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    (folder, service)
}

#[track_caller]
fn check_refused(folder: &Folder, args: &[&str], word: &str) {
    let done = folder.run(args);
    assert_eq!(done.code, 1, "{args:?}: {done:?}");
    let said = format!("{}{}", done.out, done.err);
    assert!(said.contains(word), "{args:?}: {done:?}");
}

#[test]
fn a_replaced_or_removed_file_is_named_and_the_tasks_come_from_the_service() {
    let (folder, service) = serving();
    folder.succeed(&["backup", "copy.db"]);
    folder.succeed(&["submit", "--wait", "two"]);
    std::fs::rename(folder.path("copy.db"), folder.path("data/venom.db")).unwrap();
    for _ in 0..2 {
        let word = "is not the file that the running service has open";
        check_refused(&folder, &["backup", "backup.db"], word);
        check_refused(&folder, &["doctor", "--quick"], word);
        check_refused(&folder, &["token", "create", "ann", "--role", "read"], word);
        check_refused(&folder, &["submit", "three"], "replaced or removed");
        let dump = folder.json(&["export"]);
        assert_eq!(dump["tasks"].as_array().unwrap().len(), 2);
        // The same again without any file.
        let _ = std::fs::remove_file(folder.path("data/venom.db"));
    }
    assert!(!folder.path("backup.db").exists());
    assert_eq!(service.stop(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_hard_link_to_a_database_in_use_is_named() {
    let (folder, service) = serving();
    std::fs::hard_link(folder.path("data/venom.db"), folder.path("link.db")).unwrap();
    for args in [
        &["backup", "--database", "link.db", "backup.db"][..],
        &["doctor", "--database", "link.db"],
        &["restore", "--database", "other.db", "link.db"],
        &["token", "list", "--database", "link.db"],
        &["export", "--database", "link.db"],
        &["serve", "--port", "0", "--database", "link.db"],
    ] {
        check_refused(&folder, args, "hard link");
    }
    assert_eq!(service.stop(), 0);
    // Without the service it is a file like any other.
    folder.succeed(&["backup", "--database", "link.db", "backup.db"]);
}
