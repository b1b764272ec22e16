//! export and import, with and without a service.

use std::process::Stdio;

use serde_json::Value;

use crate::harness::{Folder, Running, wait};
use crate::stub_service::Canned;

/// A folder in which a service has run two tasks.
fn folder_with_tasks() -> (Folder, Running) {
    let folder = Folder::new();
    let service = folder.serve();
    folder.succeed(&["submit", "--wait", "one"]);
    folder.succeed(&["submit", "--wait", "two"]);
    (folder, service)
}

#[test]
fn a_dump_is_the_same_with_and_without_a_service_and_after_a_round_trip() {
    let (home, service) = folder_with_tasks();
    let online = home.succeed(&["export"]);
    home.succeed(&["export", "online.json"]);
    assert_eq!(home.read("online.json").trim_end(), online);
    assert_eq!(service.stop(), 0);
    assert_eq!(home.succeed(&["export", "-"]), online);

    let offline = Folder::new();
    let done = offline.feed(&["import", "-"], &online);
    assert_eq!((done.code, done.err.as_str()), (0, "2 tasks imported\n"));
    assert_eq!(offline.succeed(&["export"]), online);

    let other = Folder::new();
    let _service = other.serve();
    other.write("dump.json", &online);
    let report = other.json(&["import", "--json", "dump.json"]);
    assert_eq!(report["imported"], 2);
    let done = other.run(&["import", "dump.json"]);
    assert_eq!(done.err, "0 tasks imported, 2 already present\n");
    assert_eq!(other.succeed(&["export"]), online);
}

#[test]
fn only_a_whole_dump_takes_the_place_of_a_file() {
    let folder = Folder::new();
    folder.write("good.json", "a good dump");
    let large = format!("{{\"tasks\": [{}", "{\"id\": \"x\"}, ".repeat(20_000));
    for body in [
        "<html><form>Log in</form></html>",
        "",
        "null",
        "[]",
        "{}",
        r#"{"detail": "Log in first."}"#,
        r#"{"tasks": {"a": 1}}"#,
        r#"{"tasks": [1]}"#,
        r#"{"tasks": []"#,
        r#"{"tasks": []} and more"#,
        &large,
    ] {
        let shown = body.get(..40).unwrap_or(body);
        let body: &'static str = body.to_owned().leak();
        let service = Canned::new([("200 OK", body)]);
        let done = folder.run(&["export", "good.json", "--url", &service.url]);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{shown}: {done:?}");
        assert!(
            done.err.contains("not with a complete dump"),
            "{shown}: {done:?}"
        );
        assert_eq!(folder.read("good.json"), "a good dump", "{shown}");
        // What is short is not even printed.
        let service = Canned::new([("200 OK", body)]);
        let done = folder.run(&["export", "--url", &service.url]);
        assert_eq!(done.code, 1, "{shown}: {done:?}");
        assert!(
            body.len() > 1_000 || done.out.is_empty(),
            "{shown}: {done:?}"
        );
    }
    let files = std::fs::read_dir(folder.path(".")).unwrap().count();
    assert_eq!(files, 1, "no drafts are left");
    let dump = r#"{"tasks": [], "paid_mode_enabled": false}"#;
    let service = Canned::new([("200 OK", dump)]);
    folder.succeed(&["export", "good.json", "--url", &service.url]);
    assert_eq!(folder.read("good.json"), dump);
}

#[test]
fn a_conflict_is_named_and_replaced_when_asked() {
    let (folder, service) = folder_with_tasks();
    let mut dump: Value = serde_json::from_str(&folder.succeed(&["export"])).unwrap();
    dump["tasks"][0]["content"] = "another".into();
    let id = dump["tasks"][0]["id"].as_str().unwrap().to_owned();
    folder.write("dump.json", &dump.to_string());

    let mut service = Some(service);
    for _ in 0..2 {
        let done = folder.run(&["import", "dump.json"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(
            done.err.contains(&format!("1 task skipped ({id})")),
            "{done:?}"
        );
        assert!(done.err.contains("--replace"), "{done:?}");
        drop(service.take());
    }
    let done = folder.run(&["import", "--replace", "dump.json"]);
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(done.err, "0 tasks imported, 2 replaced\n");
    assert!(folder.succeed(&["export"]).contains("\"another\""));
}

#[test]
fn a_damaged_file_imports_nothing_and_says_where_it_is_damaged() {
    let (folder, service) = folder_with_tasks();
    let before = folder.succeed(&["export"]);
    folder.write(
        "dump.json",
        r#"{"tasks": [{"id": "x", "content": "hello"}]}"#,
    );
    let mut service = Some(service);
    for _ in 0..2 {
        let done = folder.run(&["import", "dump.json"]);
        assert_eq!((done.code, done.out.as_str()), (1, ""));
        assert!(
            done.err.starts_with("error: cannot import dump.json: "),
            "{done:?}"
        );
        assert!(done.err.contains("tasks[0]"), "{done:?}");
        drop(service.take());
    }
    assert_eq!(folder.succeed(&["export"]), before);
}

#[test]
fn an_export_that_fails_leaves_the_file_and_the_folder_alone() {
    let folder = Folder::new();
    folder.write("backup.json", "old");
    let done = folder.run(&["export", "backup.json"]);
    assert_eq!(done.code, 1);
    assert!(done.err.starts_with("error: database"), "{done:?}");
    assert_eq!(folder.read("backup.json"), "old");
    assert!(!folder.path("data").exists());
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let (folder, _service) = folder_with_tasks();
    let done = folder.run(&["import", "nowhere.json"]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.starts_with("error: cannot read nowhere.json: "),
        "{done:?}"
    );
    let done = folder.run(&["export", "data"]);
    assert_eq!(done.code, 1);
    assert!(
        done.err.starts_with("error: cannot write data: "),
        "{done:?}"
    );
    assert_eq!(folder.run(&["export", "/dev/null"]).code, 0);
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let (folder, service) = folder_with_tasks();
    let mut service = Some(service);
    for _ in 0..2 {
        let mut command = folder.command(&["export"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut export = command.spawn().unwrap();
        drop(export.stdout.take());
        assert_eq!(wait(&mut export), 0);
        drop(service.take());
    }
}
