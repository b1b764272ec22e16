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
        done.out.ends_with("PASS: no accepted task was lost.\n"),
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

/// Whatever ends the test, its service ends too: the lock of its database is free.
#[cfg(target_os = "linux")]
#[test]
fn a_killed_test_leaves_no_service() {
    let folder = Folder::new();
    let test = folder.start(&["crash-test", "--rounds", "1000", "--dir", "."]);
    test.err.until("round 1: killed");
    let left = std::fs::read_dir(folder.path(".")).unwrap().next();
    let left = left.expect("the folder of the test").unwrap().path();
    let lock = left.join("venom.db.lock");
    // Between two rounds there is none; while the test stands still, one that answers stays.
    loop {
        test.signal(rustix::process::Signal::STOP);
        let text = std::fs::read_to_string(&lock).unwrap();
        let url = text.lines().next().unwrap_or_default();
        let address = url.trim_start_matches("http://");
        if std::net::TcpStream::connect(address).is_ok() {
            break;
        }
        test.signal(rustix::process::Signal::CONT);
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    test.signal(rustix::process::Signal::KILL);
    drop(test);
    let lock = std::fs::File::open(lock).unwrap();
    let (freed, is_free) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        lock.lock().unwrap();
        let _ = freed.send(());
    });
    let waited = is_free.recv_timeout(std::time::Duration::from_secs(30));
    waited.expect("the service of a killed test goes on");
}
