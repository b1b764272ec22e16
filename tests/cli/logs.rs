//! logs: every line once, to the end of the task if asked.

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::Folder;
use crate::terminal::Terminal;

/// A processor that says something before and after a file appears.
const PATIENT: &str = "[processors.patient]\nkind = \"command\"\nprogram = \"sh\"\n\
    args = [\"-c\", \"echo ready; until test -e go; do sleep 0.02; done; echo gone\"]\n";

#[test]
fn lines_have_their_times() {
    let folder = Folder::new();
    let _service = folder.serve();
    let task = folder.json(&["submit", "--wait", "--json", "hello"]);
    let id = task["id"].as_str().unwrap();
    let log = folder.succeed(&["logs", id]);
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let (time, words) = lines[0].split_once("  ").unwrap();
    assert_eq!(time.len(), "2026-01-31 12:00:00".len());
    assert!(words.starts_with("Task started: "), "{words}");

    let log = folder.succeed(&["logs", "--json", id]);
    let lines = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap());
    let lines: Vec<_> = lines.map(|it| it["line"].clone()).collect();
    assert_eq!(Value::from(lines), task["logs"]);
    let followed = folder.run(&["logs", "--json", "-f", id]);
    assert_eq!(followed.out.trim_end(), log);
    assert_eq!(followed.err, format!("task {id} is COMPLETED\n"));
}

#[test]
fn more_lines_than_a_page_are_all_printed() {
    let folder = Folder::new();
    let count = "[processors.count]\nkind = \"command\"\nprogram = \"seq\"\nargs = [\"2500\"]\n";
    folder.write("venom.toml", count);
    let _service = folder.serve();
    let task = folder.json(&["submit", "--processor", "count", "--wait", "--json", "x"]);
    let log = folder.succeed(&["logs", task["id"].as_str().unwrap()]);
    let numbers = log
        .lines()
        .filter_map(|line| line.split_once("  ")?.1.parse::<u32>().ok());
    assert!(numbers.eq(1..=2500), "{log}");
}

#[test]
fn a_log_is_followed_to_the_end_of_the_task() {
    let folder = Folder::new();
    folder.write("venom.toml", PATIENT);
    let _service = folder.serve();
    let id = folder.succeed(&["submit", "--processor", "patient", "x"]);
    let logs = folder.start(&["logs", "--follow", &id]);
    logs.out.until("  ready");
    folder.write("go", "");
    let rest = logs.out.rest();
    assert!(rest.iter().any(|line| line.ends_with("  gone")), "{rest:?}");
    assert!(
        rest.last().unwrap().contains("Processing completed"),
        "{rest:?}"
    );
    assert_eq!(logs.code(), 0);
}

#[test]
fn following_outlives_the_service_and_repeats_nothing() {
    let folder = Folder::new();
    folder.write("venom.toml", PATIENT);
    let service = folder.serve();
    let id = folder.succeed(&["submit", "--processor", "patient", "x"]);
    let logs = folder.start(&["logs", "--json", "--follow", &id]);
    let mut lines = logs.out.until("\"ready\"");
    service.signal(Signal::KILL);
    logs.err.until("reconnecting");
    drop(service);

    let _service = folder.serve();
    lines.extend(logs.out.until("\"ready\""));
    folder.write("go", "");
    lines.extend(logs.out.rest());
    assert_eq!(logs.code(), 0);
    assert_eq!(lines.join("\n"), folder.succeed(&["logs", "--json", &id]));
}

#[test]
fn a_purge_ends_it_and_a_deleted_task_has_no_log() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["pause"]);
    let id = folder.succeed(&["submit", "x"]);
    let logs = folder.start(&["logs", "-f", &id]);
    logs.out.until("Task started");
    folder.succeed(&["purge", "--yes"]);
    let status = logs.err.next();
    assert_eq!(status, format!("task {id} is FAILED"));
    assert_eq!(logs.code(), 0);
    folder.succeed(&["delete", &id]);
    let gone = folder.run(&["logs", "-f", &id]);
    assert_eq!(
        (gone.code, gone.err.as_str()),
        (1, "error: Task not found\n")
    );
}

/// Prints in colours, and moves a bar until a file appears.
const BAR: &str = r#"[processors.bar]
kind = "command"
program = "sh"
args = ["-c", '''printf '\033[31mred\033[0m\033[5A and \033]0;title\007plain\n'; i=0
until test -e go; do printf '\rstate %d' $i; i=$((i + 1)); sleep 0.02; done
printf '\rdone\n' ''']
"#;

#[test]
fn on_a_terminal_it_has_colours_and_a_bar_moves() {
    let folder = Folder::new();
    folder.write("venom.toml", BAR);
    let _service = folder.serve();
    let id = folder.succeed(&["submit", "--processor", "bar", "x"]);
    let mut terminal = Terminal::start(&folder, &["logs", "-f", &id], 10, 60);
    let mut watch = Terminal::start(&folder, &["watch", "--since", "0"], 20, 120);
    for terminal in [&mut terminal, &mut watch] {
        terminal.until("red and plain");
        terminal.until("state ");
    }
    folder.write("go", "");
    let left = terminal.ended();
    let shown = left.screen.screen().contents();
    assert!(
        shown.contains("  done") && !shown.contains("state"),
        "{shown}"
    );
    watch.until("TASK_COMPLETED");
    assert!(!watch.shown().contains("state"), "{}", watch.shown());
    for bytes in [left.bytes, watch.bytes.clone()] {
        let bytes = String::from_utf8(bytes).unwrap();
        assert!(
            bytes.contains("\u{1b}[0;31mred\u{1b}[0m and plain"),
            "{bytes:?}"
        );
        assert!(
            !bytes.contains("[5A") && !bytes.contains("title"),
            "{bytes:?}"
        );
    }
    // Not where nobody has a terminal.
    let log = folder.succeed(&["logs", &id]);
    assert!(
        log.contains("  red and plain\n") && !log.contains('\u{1b}'),
        "{log:?}"
    );
}
