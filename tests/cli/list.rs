//! list: a table of the newest, an array for machines, pages as far as they are wanted.

use serde_json::Value;

use crate::harness::Folder;
use crate::stub_service::Canned;

const MORE: &str = "More tasks exist; show them with --limit NUMBER or --all.\n";

fn contents(tasks: &Value) -> Vec<&str> {
    let tasks = tasks.as_array().unwrap().iter();
    tasks
        .map(|task| task["content"].as_str().unwrap())
        .collect()
}

#[test]
fn the_table_has_a_line_for_each_task() {
    let folder = Folder::new();
    let _service = folder.serve();
    let none = folder.run(&["list"]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert_eq!(none.err, "No tasks match.\n");
    assert_eq!(folder.succeed(&["list", "--json"]), "[]");

    folder.succeed(&["pause"]);
    let first = folder.succeed(&["submit", "first\n  task"]);
    let second = folder.succeed(&["submit", &"long ".repeat(20)]);
    let listed = folder.run(&["list"]);
    assert_eq!((listed.code, listed.err.as_str()), (0, ""));
    let lines: Vec<_> = listed.out.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:#?}");
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    assert_eq!(
        words(lines[0]),
        ["ID", "STATUS", "PROCESSOR", "AGE", "CONTENT"]
    );
    assert_eq!(words(lines[1])[..3], [second.as_str(), "PENDING", "echo"]);
    assert!(lines[1].ends_with("long long…"), "{}", lines[1]);
    assert!(lines[2].starts_with(&first) && lines[2].ends_with("  first task"));
}

#[test]
fn twenty_are_shown_unless_all_are_asked_for() {
    let folder = Folder::new();
    let _service = folder.serve();
    let tasks: String = (0..25)
        .map(|n| format!("{{\"content\": \"{n}\"}}\n"))
        .collect();
    folder.feed(&["submit", "--batch", "-"], &tasks);

    let some = folder.run(&["list", "--json"]);
    assert_eq!((some.code, some.err.as_str()), (0, MORE));
    let some: Value = serde_json::from_str(&some.out).unwrap();
    assert_eq!(contents(&some)[..2], ["24", "23"]);
    assert_eq!(contents(&some).len(), 20);
    let all = folder.json(&["list", "--json", "--all"]);
    assert_eq!(contents(&all).len(), 25);
}

#[test]
fn flags_become_parameters_and_links_are_followed() {
    let folder = Folder::new();
    let service = Canned::new([
        (
            "200 OK\r\nlink: </api/v1/tasks?limit=1000&cursor=c2>; rel=\"next\"",
            r#"[{"content":"a"},{"content":"b"}]"#,
        ),
        ("200 OK", r#"[{"content":"c"}]"#),
    ]);
    let flags = [
        "--failed",
        "--tag",
        "a b",
        "--session",
        "s",
        "--search",
        "x&y",
    ];
    let more = [
        "--failure",
        "timeout",
        "--since",
        "2026-01-31T13:00:00+01:00",
    ];
    let call = ["list", "--url", &service.url, "--all", "--json"];
    let all = folder.json(&[&call[..], &flags, &more].concat());
    assert_eq!(contents(&all), ["a", "b", "c"]);
    assert_eq!(
        service.requests(),
        [
            "GET /api/v1/tasks?status=FAILED&failure=timeout&tag=a+b&session_id=s&q=x%26y\
             &since=2026-01-31T12%3A00%3A00.000000Z&limit=1000",
            "GET /api/v1/tasks?limit=1000&cursor=c2",
        ]
    );
}

#[test]
fn no_more_pages_are_read_than_are_shown() {
    let folder = Folder::new();
    let link = "200 OK\r\nlink: <http://venom.lan/api/v1/tasks?cursor=2>; rel=\"next\"";
    let service = Canned::new([(link, r#"[{"content":"a"},{"content":"b"}]"#)]);
    let two = folder.json(&["list", "--url", &service.url, "--limit", "2", "--json"]);
    assert_eq!(contents(&two), ["a", "b"]);
    assert_eq!(service.requests(), ["GET /api/v1/tasks?limit=2"]);
}

#[test]
fn a_list_that_is_cut_is_a_failure() {
    let folder = Folder::new();
    for body in ["[{\"content\":\"a\"},", "<html>"] {
        let service = Canned::new([("200 OK", body)]);
        let done = folder.run(&["list", "--url", &service.url]);
        assert_eq!((done.code, done.out.as_str()), (1, ""), "{done:?}");
        assert!(done.err.contains("not as a venom service"), "{done:?}");
    }
}

#[test]
fn wrong_filters_are_wrong_usage() {
    let folder = Folder::new();
    for (flags, words) in [
        (&["--status", "DONE"][..], "expected one of PENDING, "),
        (&["--failure", "bad"], "expected one of error, "),
        (&["--since", "yesterday"], "expected a time such as"),
        (&["--limit", "0"], "0 is not in 1.."),
        (&["--all", "--limit", "1"], "cannot be used with"),
        (&["--failed", "--status", "PENDING"], "cannot be used with"),
    ] {
        let done = folder.run(&[&["list"][..], flags].concat());
        assert_eq!(done.code, 2, "{flags:?}: {done:?}");
        assert!(done.err.contains(words), "{flags:?}: {done:?}");
    }
}

#[test]
fn filters_find_what_they_name() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&[
        "submit",
        "--wait",
        "--tag",
        "red",
        "--session",
        "s1",
        "rose petals",
    ]);
    folder.succeed(&["pause"]);
    folder.succeed(&["submit", "purged"]);
    folder.succeed(&["purge", "--yes"]);
    folder.succeed(&["submit", "--tag", "blue", "waiting"]);
    for (flags, found) in [
        (&["--status", "pending"][..], &["waiting"][..]),
        (&["--failed"], &["purged"]),
        (&["--failure", "purged"], &["purged"]),
        (&["--tag", "red"], &["rose petals"]),
        (&["--session", "s1"], &["rose petals"]),
        (&["--search", "petals"], &["rose petals"]),
        (
            &["--processor", "echo", "--limit", "2"],
            &["waiting", "purged"],
        ),
        (
            &["--processor", "echo", "--all"],
            &["waiting", "purged", "rose petals"],
        ),
        (&["--since", "2099-01-01T00:00:00Z"], &[]),
        (
            &["--until", "2099-01-01T00:00:00Z"],
            &["waiting", "purged", "rose petals"],
        ),
    ] {
        let list = folder.json(&[&["list", "--json"][..], flags].concat());
        assert_eq!(contents(&list), found, "{flags:?}");
    }
}
