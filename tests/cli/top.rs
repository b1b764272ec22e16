//! top, on a terminal and without one.

use rustix::process::Signal;

use crate::harness::Folder;
use crate::terminal::{Left, Terminal};

const TOP: [&str; 3] = ["top", "--interval", "0.1s"];
const SETTINGS: &str = "shutdown_grace = 0\n\
    [processors.slow]\nkind = \"command\"\nprogram = \"sh\"\n\
    args = [\"-c\", 'echo half way; printf \"\\033]0;evil\\007\\n\"; exec sleep 1000']\n\
    [processors.bad]\nkind = \"command\"\nprogram = \"sh\"\n\
    args = [\"-c\", 'echo \"no luck\" >&2; exit 1']\n";

fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("venom.toml", SETTINGS);
    folder
}

#[track_caller]
fn is_given_back(left: &Left) {
    let screen = left.screen.screen();
    assert!(!screen.alternate_screen(), "the screen of before is back");
    assert!(!screen.hide_cursor(), "and so is the cursor");
    assert!(left.is_cooked, "what is typed is seen");
}

#[test]
fn without_a_terminal_it_says_what_to_use_instead() {
    let folder = Folder::new();
    let done = folder.run(&["top"]);
    assert_eq!((done.code, done.out.as_str()), (2, ""), "{done:?}");
    assert!(done.err.contains("needs a terminal"), "{done:?}");
    assert!(done.err.contains("`venom status`"), "{done:?}");
    assert_eq!(folder.run(&["top", "--interval", "0"]).code, 2);
}

#[test]
fn it_shows_what_happens_and_gives_the_terminal_back() {
    let folder = folder();
    let _service = folder.serve();
    folder.succeed(&["submit", "--wait", "quick"]);
    let id = folder.succeed(&["submit", "--processor", "slow", "red \u{1b}[31m paint"]);
    let mut terminal = Terminal::start(&folder, &TOP, 24, 80);
    terminal.until("queue open");
    terminal.until("running 1 of 5   completed 1   failed 0");
    terminal.until("per second");
    // The task that runs, its processor, and what has happened before.
    terminal.until(&id);
    terminal.until("active");
    terminal.until(&format!("TASK_STARTED {id}"));

    terminal.press("\r");
    terminal.until("status     PROCESSING");
    terminal.until("  half way");
    terminal.press("q");
    terminal.until("[running]");

    let failed = folder.run(&["submit", "--processor", "bad", "--wait", "x"]);
    assert_eq!(failed.code, 1);
    terminal.press("\t\t");
    terminal.until("[failed]");
    terminal.until("no luck");

    terminal.press("q");
    let left = terminal.ended();
    assert_eq!(left.code, 0);
    is_given_back(&left);
    let text = String::from_utf8_lossy(&left.bytes);
    assert!(!text.contains("\u{1b}]0;evil"), "{text:?}");
    assert!(!text.contains("\u{1b}[31m paint"), "{text:?}");
}

#[test]
fn the_queue_is_paused_and_resumed_after_a_question() {
    let folder = folder();
    let _service = folder.serve();
    let mut terminal = Terminal::start(&folder, &TOP, 24, 80);
    terminal.until("queue open");
    terminal.press("p");
    terminal.until("Pause the queue?");
    terminal.press("n");
    terminal.until("? help");
    assert_eq!(folder.json(&["status", "--json"])["paused"], false);
    terminal.press("py");
    terminal.until("QUEUE paused since");
    assert_eq!(folder.json(&["status", "--json"])["paused"], true);
    terminal.press("py");
    terminal.until("queue open");
    assert_eq!(folder.json(&["status", "--json"])["paused"], false);
    folder.succeed(&["emergency-stop", "--yes"]);
    terminal.until("QUEUE stopped by an emergency stop");
    // Ctrl-C, which a terminal that is ours does not make a signal of.
    terminal.press("\u{3}");
    let left = terminal.ended();
    assert_eq!(left.code, 0);
    is_given_back(&left);
}

#[test]
fn it_searches_helps_and_follows_the_size_of_the_terminal() {
    let folder = folder();
    let _service = folder.serve();
    folder.succeed(&["submit", "--wait", "apples"]);
    folder.succeed(&["submit", "--wait", "pears"]);
    let mut terminal = Terminal::start(&folder, &TOP, 24, 80);
    terminal.press("\u{1b}[Z");
    terminal.until("Processed: apples");
    terminal.press("/pears\r");
    terminal.until("search: \"pears\"");
    terminal.until_not("Processed: apples");
    terminal.until("Processed: pears");
    terminal.press("?");
    terminal.until("Shift-Tab");
    terminal.press(" ");
    terminal.until_not("Shift-Tab");
    terminal.until("EVENTS");
    // Too low for anything but the tasks.
    terminal.resize(12, 60);
    terminal.until_not("EVENTS");
    terminal.until("Processed: pears");
    terminal.resize(40, 132);
    terminal.until("EVENTS");
    terminal.until("? help");
    terminal.press("q");
    assert_eq!(terminal.ended().code, 0);
}

#[test]
fn a_terminal_may_say_any_size() {
    let folder = folder();
    let _service = folder.serve();
    for length in [0, u16::MAX] {
        let mut terminal = Terminal::start(&folder, &TOP, length, length);
        terminal.until("queue open");
        terminal.until("active");
        terminal.press("q");
        let left = terminal.ended();
        assert_eq!(left.code, 0, "{length}");
        is_given_back(&left);
    }
}

#[test]
fn a_service_that_comes_back_is_found_again_and_a_signal_ends_it() {
    let folder = folder();
    let service = folder.serve();
    for signal in [Signal::TERM, Signal::INT] {
        let mut terminal = Terminal::start(&folder, &TOP, 24, 80);
        terminal.until("queue open");
        terminal.signal(signal);
        let left = terminal.ended();
        assert_eq!(left.code, 0, "{signal:?}");
        is_given_back(&left);
    }
    let mut terminal = Terminal::start(&folder, &TOP, 24, 80);
    terminal.until("queue open");
    assert_eq!(service.stop(), 0);
    terminal.until("reconnecting");
    // By another port.
    let _service = folder.serve();
    terminal.until("queue open");
    let id = folder.succeed(&["submit", "--wait", "--json", "again"]);
    let id: serde_json::Value = serde_json::from_str(&id).unwrap();
    let id = id["id"].as_str().unwrap();
    terminal.until(&format!("TASK_COMPLETED {id}"));
    terminal.press("q");
    assert_eq!(terminal.ended().code, 0);
}
