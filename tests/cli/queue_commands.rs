//! status, pause, resume, purge, emergency-stop and abort.

use serde_json::json;

use crate::harness::Folder;
use crate::terminal::Terminal;

const NOBODY: &str = "0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a";

#[test]
fn status_is_a_table_for_people_and_json_for_machines() {
    let folder = Folder::new();
    let _service = folder.serve();
    let table = folder.succeed(&["status"]);
    let first = format!(
        "service    {} (venom {})\nqueue      open\npending    0\nrunning    0 of 5\n",
        folder.url(),
        env!("CARGO_PKG_VERSION")
    );
    assert!(table.starts_with(&first), "{table}");
    let status = folder.json(&["status", "--json"]);
    let queue = json!({"paused": false, "pending": 0, "active": 0, "processing": 0, "limit": 5});
    for (name, value) in queue.as_object().unwrap() {
        assert_eq!(status[name], *value, "{name}");
    }
}

#[test]
fn a_paused_queue_keeps_its_tasks_until_it_is_resumed() {
    let folder = Folder::new();
    let service = folder.serve();
    let paused = folder.run(&["pause", "--reason", "for the test"]);
    assert_eq!((paused.code, paused.out.as_str()), (0, ""));
    assert!(paused.err.starts_with("Queue paused."), "{paused:?}");
    folder.succeed(&["submit", "hello"]);

    assert_eq!(service.stop(), 0);
    let _service = folder.serve();
    assert_eq!(folder.json(&["status", "--json"])["paused"], true);
    let resumed = folder.json(&["resume", "--json"]);
    assert_eq!(resumed["success"], true);
    assert_eq!(resumed["pending_tasks"], 1);
}

#[test]
fn without_a_terminal_what_cannot_be_taken_back_needs_a_yes() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    folder.succeed(&["submit", "one"]);
    folder.succeed(&["submit", "two"]);
    folder.succeed(&["backup", "backup.db"]);
    for command in [
        &["purge"][..],
        &["emergency-stop"],
        &["hive", "emergency-stop"],
        &["delete", "--status", "completed"],
        &["abort", "--processor", "echo"],
        &["restore", "backup.db"],
    ] {
        // What is piped in is no consent.
        let done = folder.feed(command, "y\n");
        assert_eq!(
            (done.code, done.out.as_str()),
            (2, ""),
            "{command:?}: {done:?}"
        );
        assert!(done.err.contains("no terminal"), "{command:?}: {done:?}");
        assert!(done.err.contains("add --yes"), "{command:?}: {done:?}");
    }
    assert_eq!(folder.json(&["status", "--json"])["pending"], 2);
    // This only counts.
    folder.succeed(&["delete", "--status", "completed", "--dry-run"]);
    let purged = folder.run(&["purge", "--yes"]);
    assert_eq!(purged.code, 0);
    assert!(purged.err.contains("2 pending"), "{}", purged.err);
    assert_eq!(folder.json(&["purge", "--yes", "--json"])["removed"], 0);
}

#[test]
fn at_a_terminal_a_purge_asks_and_an_emergency_stop_does_not() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    folder.succeed(&["submit", "one"]);
    for (answer, code, pending) in [("n\r", 1, 1), ("\r", 1, 1), ("y\r", 0, 0)] {
        let mut terminal = Terminal::start(&folder, &["purge"], 24, 120);
        terminal.until("Fail all 1 PENDING tasks");
        terminal.press(answer);
        assert_eq!(terminal.ended().code, code, "{answer:?}");
        assert_eq!(
            folder.json(&["status", "--json"])["pending"],
            pending,
            "{answer:?}"
        );
    }
    folder.succeed(&["submit", "two"]);
    let stop = Terminal::start(&folder, &["emergency-stop"], 24, 120);
    assert_eq!(stop.ended().code, 0);
    assert_eq!(folder.json(&["status", "--json"])["pending"], 0);
}

#[test]
fn an_emergency_stop_pauses_and_purges() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    folder.succeed(&["submit", "one"]);
    let stopped = folder.json(&["emergency-stop", "--yes", "--json"]);
    assert_eq!(stopped["purged"], 1);
    let status = folder.json(&["status", "--json"]);
    assert_eq!(
        (&status["paused"], &status["pending"]),
        (&json!(true), &json!(0))
    );
}

#[test]
fn what_does_not_run_cannot_be_aborted() {
    let folder = Folder::new();
    let _service = folder.serve();
    let aborted = folder.run(&["abort", NOBODY]);
    assert_eq!((aborted.code, aborted.out.as_str()), (1, ""));
    assert_eq!(
        aborted.err,
        "error: There is no such task, or it does not run.\n"
    );
}

#[test]
fn what_runs_is_aborted() {
    let folder = Folder::new();
    folder.write(
        "venom.toml",
        "[processors.long]\nkind = \"command\"\nprogram = \"sh\"\n\
         args = [\"-c\", \"echo ready; exec sleep 1000\"]\n",
    );
    let _service = folder.serve();
    let watch = folder.start(&["watch", "--since", "0"]);
    let id = folder.succeed(&["submit", "--processor", "long", "hello"]);
    watch.out.until(&format!("TASK_LOG {id} ready"));
    let aborted = folder.run(&["abort", &id]);
    assert_eq!((aborted.code, aborted.err.as_str()), (0, "Task aborted.\n"));
    watch.out.until(&format!("TASK_ABORTED {id}"));
}

#[test]
fn one_processor_is_paused_by_itself_and_for_a_time() {
    let folder = Folder::new();
    let _service = folder.serve();
    let paused = folder.json(&["pause", "--processor", "echo", "--for", "10m", "--json"]);
    assert_eq!(paused["processor"], "echo");
    let until = paused["until"].as_str().unwrap();
    let until = chrono::DateTime::parse_from_rfc3339(until).unwrap();
    let period = until.signed_duration_since(chrono::Utc::now());
    assert!((540..=600).contains(&period.num_seconds()), "{period}");
    let id = folder.succeed(&["submit", "hello"]);
    let explained = folder.json(&["explain", "--json", &id]);
    assert_eq!(explained["reasons"][0]["type"], "processor_paused");

    let resumed = folder.run(&["resume", "--processor", "echo"]);
    assert_eq!((resumed.code, resumed.out.as_str()), (0, ""));
    assert_eq!(resumed.err, "Processor echo resumed.\n");
    let logs = folder.run(&["logs", "--follow", &id]);
    assert!(logs.err.ends_with("is COMPLETED\n"), "{logs:?}");
}

#[test]
fn a_pause_may_end_by_itself() {
    let folder = Folder::new();
    let _service = folder.serve();
    let paused = folder.run(&["pause", "--until", "2099-01-01T00:00:00Z"]);
    assert!(
        paused.err.contains("until 2099-01-01T00:00:00"),
        "{paused:?}"
    );
    let past = folder.run(&["pause", "--until", "2001-01-01T00:00:00Z"]);
    assert_eq!((past.code, past.out.as_str()), (1, ""));
    assert!(past.err.starts_with("error: --until: "), "{past:?}");
    let nobody = folder.run(&["resume", "--processor", "nope"]);
    assert_eq!(nobody.code, 1);
    assert!(nobody.err.starts_with("error: --processor: "), "{nobody:?}");
    folder.succeed(&["pause", "--for", "0.2s"]);
    let waiting = folder.start(&["submit", "--wait", "x"]);
    assert_eq!(waiting.out.next(), "Processed: x");
}
