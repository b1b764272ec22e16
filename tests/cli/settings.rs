//! schedules and reload: what the service runs by the clock, and its settings read again.

use crate::harness::Folder;
use crate::stub_service::Canned;

const SCHEDULES: &str = r#"[
    {"name": "nightly", "enabled": true, "cron": "0 3 * * *", "timezone": "Europe/Warsaw",
     "processor": "echo", "content": "tidy up", "missed": "run_once",
     "next_run": "2099-01-31T02:00:00.000000Z", "last_due": null, "last_task_id": null,
     "last_run": null},
    {"name": "often", "enabled": false, "every": "5m", "timezone": "UTC", "processor": "echo",
     "content": "x", "missed": "skip", "next_run": null, "last_due": null, "last_task_id": null,
     "last_run": null}
]"#;

#[test]
fn schedules_are_a_table_or_json() {
    let folder = Folder::new();
    let service = Canned::new([("200 OK", SCHEDULES)]);
    let table = folder.succeed(&["schedules", "--url", &service.url]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    assert!(
        lines[1].starts_with("nightly  0 3 * * * Europe/Warsaw  2099-01-31 "),
        "{table}"
    );
    assert!(lines[2].starts_with("often    every 5m "), "{table}");
    assert!(lines[2].contains("  off "), "{table}");
    assert_eq!(service.requests(), ["GET /api/v1/schedules"]);

    let service = Canned::new([("200 OK", SCHEDULES)]);
    let json = folder.json(&["schedules", "--json", "--url", &service.url]);
    assert_eq!(json[1]["name"], "often");
    let service = Canned::new([("200 OK", "[]")]);
    let none = folder.run(&["schedules", "--url", &service.url]);
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.starts_with("No schedules"), "{none:?}");
}

#[test]
fn a_reload_says_what_changed_and_what_waits() {
    let folder = Folder::new();
    let answer = r#"{"applied": ["processors.echo.concurrency"], "needs_restart": ["port"],
        "message": "1 setting applied."}"#;
    let service = Canned::new([("200 OK", answer)]);
    let done = folder.run(&["reload", "--url", &service.url]);
    assert_eq!((done.code, done.out.as_str()), (0, ""));
    assert_eq!(
        done.err,
        "1 setting applied.\n  applied: processors.echo.concurrency\n  needs a restart: port\n"
    );
    assert_eq!(service.requests(), ["POST /api/v1/reload"]);
    let service = Canned::new([("200 OK", answer)]);
    let json = folder.json(&["reload", "--json", "--url", &service.url]);
    assert_eq!(json["needs_restart"][0], "port");
}

#[test]
fn each_problem_of_a_reload_is_printed() {
    let folder = Folder::new();
    let problems = r#"{"detail": [
        {"type": "value_error", "loc": ["venom.toml", "port"], "msg": "expected a number", "input": "x"},
        {"type": "value_error", "loc": ["venom.toml", "prot"], "msg": "unknown key", "input": 1}
    ]}"#;
    let service = Canned::new([("422 Unprocessable Entity", problems)]);
    let done = folder.run(&["reload", "--url", &service.url]);
    assert_eq!((done.code, done.out.as_str()), (1, ""));
    assert_eq!(
        done.err,
        "error: venom.toml.port: expected a number\nvenom.toml.prot: unknown key\n"
    );
}

#[test]
fn the_service_shows_and_reloads_its_schedules() {
    let folder = Folder::new();
    let schedule =
        |name: &str| format!("[schedules.{name}]\ncron = \"0 3 * * *\"\ncontent = \"tidy up\"\n");
    folder.write("venom.toml", &schedule("nightly"));
    let _service = folder.serve();
    let table = folder.succeed(&["schedules"]);
    assert!(table.contains("\nnightly  0 3 * * * UTC"), "{table}");
    folder.write("venom.toml", &schedule("renamed"));
    folder.succeed(&["reload"]);
    let json = folder.json(&["schedules", "--json"]);
    assert_eq!(json[0]["name"], "renamed");
    folder.write("venom.toml", "prot = 1\n");
    let wrong = folder.run(&["reload", "--url", folder.url().trim()]);
    assert_eq!(wrong.code, 1);
    assert!(wrong.err.contains("prot"), "{wrong:?}");
}

const PROCESSORS: &str = r#"[
    {"name": "answer", "kind": "llm", "running": 2, "pending": 40, "concurrency": 2, "rate": "30/m",
     "rate_frees_at": "2099-01-31T02:00:00.000000Z", "paused": null},
    {"name": "echo", "kind": "echo", "running": 0, "pending": 1, "concurrency": null, "rate": null,
     "rate_frees_at": null, "paused": {"since": "2026-01-31T02:00:00.000000Z", "reason": null}},
    {"name": "gone", "kind": null, "running": 0, "pending": 3, "concurrency": null, "rate": null,
     "rate_frees_at": null, "paused": null}
]"#;

#[test]
fn processors_are_a_table_or_json() {
    let folder = Folder::new();
    let service = Canned::new([("200 OK", PROCESSORS)]);
    let table = folder.succeed(&["processors", "--url", &service.url]);
    let words = |line: &str| {
        let words = line.split_whitespace();
        words.map(str::to_owned).collect::<Vec<_>>().join(" ")
    };
    let lines: Vec<_> = table.lines().map(words).collect();
    assert_eq!(lines[0], "NAME KIND RUNNING LIMIT PENDING RATE STATE");
    assert!(
        lines[1].starts_with("answer llm 2 2 40 30/m next start at 2099-01-31 "),
        "{table}"
    );
    assert_eq!(lines[2], "echo echo 0 - 1 - paused");
    assert_eq!(lines[3], "gone - 0 - 3 - active");
    assert_eq!(service.requests(), ["GET /api/v1/processors"]);

    let service = Canned::new([("200 OK", PROCESSORS)]);
    let json = folder.json(&["processors", "--json", "--url", &service.url]);
    assert_eq!(json[2]["name"], "gone");
}
