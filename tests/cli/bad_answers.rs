//! Answers that no service gives: commands say so, and none panics.

use crate::harness::{Done, Folder};
use crate::stub_service::{Answer, Canned};

const TASK: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

/// Every command that reads an answer.
const COMMANDS: [&[&str]; 21] = [
    &["status"],
    &["status", "--json"],
    &["show", TASK],
    &["show", "--downstream", TASK],
    &["explain", TASK],
    &["logs", TASK],
    &["list"],
    &["stats"],
    &["processors"],
    &["schedules"],
    &["hive", "status"],
    &["hive", "nodes"],
    &["token", "whoami"],
    &["doctor", "--service"],
    &["submit", "x"],
    &["pause"],
    &["resume"],
    &["reload"],
    &["retry", "--failed"],
    &["retry", TASK],
    &["import", "dump.json"],
];

fn ask(folder: &Folder, command: &[&str], answers: impl IntoIterator<Item = Answer>) -> Done {
    let service = Canned::new(answers);
    folder.run(&[command, &["--url", &service.url]].concat())
}

#[track_caller]
fn did_not_panic(done: &Done, what: &str) {
    assert!(!done.err.contains("panicked"), "{what}: {done:?}");
    assert!((0..=3).contains(&done.code), "{what}: {done:?}");
}

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("dump.json", r#"{"tasks": []}"#);
    folder
}

#[test]
fn no_json_makes_a_command_panic() {
    let folder = folder();
    let shapes = [
        "[]",
        "[1, null, \"x\"]",
        "null",
        "true",
        "7",
        "\"a text\"",
        "",
        "<html>",
        "[[",
    ];
    for command in COMMANDS {
        for shape in shapes {
            // Some ask twice; the second time nobody answers.
            let done = ask(&folder, command, [("200 OK", shape)]);
            did_not_panic(&done, &format!("{command:?} is answered {shape}"));
            // An import sends more than the stand-in reads, which can break the connection.
            let is_no_answer =
                !shape.starts_with("[]") && !shape.starts_with("[1") && shape != "null";
            if is_no_answer && command[0] != "import" {
                let words = format!("{command:?} is answered {shape}: {done:?}");
                assert_eq!(done.code, 1, "{words}");
                assert!(!done.err.contains("Done"), "{words}");
            }
        }
    }
}

#[test]
fn no_value_of_another_type_makes_a_command_panic() {
    let folder = folder();
    let most = format!("{}", u64::MAX);
    for value in [
        &most,
        "-1e999",
        "[[]]",
        "{\"a\": []}",
        "\"x\"",
        "null",
        "false",
    ] {
        let fields = [
            "id",
            "task_id",
            "status",
            "processor",
            "attempt",
            "priority",
            "tags",
            "after",
            "timeout",
            "created_at",
            "run_at",
            "progress",
            "content",
            "error",
            "result",
            "message",
            "paused",
            "pause",
            "pending",
            "active",
            "limit",
            "tasks",
            "storage",
            "version",
            "hive",
            "points",
            "queues",
            "nodes",
            "healthy",
            "checks",
            "settings",
            "processors",
            "auth",
            "name",
            "role",
            "matched",
            "applied",
            "imported",
            "conflicts",
        ];
        let fields: Vec<_> = fields
            .iter()
            .map(|name| format!("\"{name}\": {value}"))
            .collect();
        let object = format!("{{{}}}", fields.join(", "));
        let list = format!("[{object}, {object}]");
        for command in COMMANDS {
            for shape in [&object, &list] {
                let shape: &'static str = shape.clone().leak();
                let done = ask(&folder, command, [("200 OK", shape), ("200 OK", shape)]);
                did_not_panic(&done, &format!("{command:?} is answered {shape}"));
            }
        }
    }
}

#[test]
fn a_text_of_any_length_and_script_is_shown() {
    let folder = folder();
    let long = "x".repeat(65_536);
    let _service = folder.serve();
    folder.succeed(&["pause", "--reason", &long[..900]]);
    let id = folder.feed(
        &["submit", "-"],
        &format!("{long}\n日本語\n\u{202e}e\u{301}"),
    );
    let shown = folder.succeed(&["show", id.out.trim()]);
    assert!(
        shown.contains(&format!("content    {long}\n           日本語\n")),
        "{shown}"
    );
    assert!(shown.contains("           \\u{202e}e\u{301}\n"), "{shown}");
    let status = folder.succeed(&["status"]);
    assert!(status.contains(&long[..900]), "{status}");
    let reason = format!(
        r#"{{"paused": true, "pending": 1, "active": 0, "limit": 5, "pause": {{"reason": "{long}"}}}}"#
    );
    let done = ask(
        &folder,
        &["status"],
        [
            ("200 OK", &*reason.clone().leak()),
            ("200 OK", reason.leak()),
            ("404 Not Found", ""),
        ],
    );
    assert_eq!(done.code, 0, "{done:?}");
    assert!(
        done.out.contains(&format!("queue    paused: {long}\n")),
        "{done:?}"
    );
}

#[test]
fn the_table_is_as_wide_as_a_terminal_shows_it() {
    let folder = folder();
    let list = r#"[{"name": "日本", "kind": "command"}, {"name": "abcde", "kind": "echo"}]"#;
    let done = ask(&folder, &["processors"], [("200 OK", list)]);
    let lines: Vec<_> = done.out.lines().collect();
    assert!(lines[0].starts_with("NAME   KIND "), "{done:?}");
    assert!(lines[1].starts_with("日本   command "), "{done:?}");
    assert!(lines[2].starts_with("abcde  echo "), "{done:?}");
}

#[test]
fn a_redirect_is_not_followed_and_another_server_gets_no_token() {
    let folder = folder();
    for head in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        // Nobody may ever connect to it.
        let other = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        other.set_nonblocking(true).unwrap();
        let there = format!("http://{}/second", other.local_addr().unwrap());
        for command in [
            &["status"][..],
            &["watch"],
            &["submit", "x"],
            &["export", "kept.json"],
        ] {
            folder.write("kept.json", "a good dump");
            let head: &'static str = format!("{head}\r\nlocation: {there}").leak();
            let service = Canned::new([(head, "")]);
            let flags = ["--url", &service.url, "--token", "secret"];
            let done = folder.run(&[command, &flags].concat());
            assert_eq!(
                (done.code, done.out.as_str()),
                (1, ""),
                "{command:?}: {done:?}"
            );
            for words in [&*there, "Redirects are not followed", "--url"] {
                assert!(done.err.contains(words), "{command:?}: {done:?}");
            }
            assert!(other.accept().is_err(), "{command:?} followed a redirect");
            assert_eq!(service.requests().len(), 1);
            assert_eq!(folder.read("kept.json"), "a good dump");
        }
    }
}

#[test]
fn a_watch_that_is_sent_no_event_ends() {
    let folder = folder();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut socket = tokio_tungstenite::tungstenite::accept(stream).unwrap();
        socket.send(r#"{"hello": "you"}"#.into()).unwrap();
        // Until the command has gone.
        while socket.read().is_ok() {}
    });
    let done = folder.run(&["watch", "--url", &url]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.err.contains("not as a venom service"), "{done:?}");
    server.join().unwrap();
}
