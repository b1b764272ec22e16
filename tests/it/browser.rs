//! The dashboard in a real Chromium: each test is a script of `tests/browser`, run against a service of its
//! own. A script may ask for things that no page can do: it prints a line and waits for the answer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::support::{Service, Setup, in_time};

const PROCESSORS: &str = r#"
[processors.flaky]
kind = "command"
program = "false"
max_attempts = 2
backoff = { first = 0 }

[processors.json]
kind = "command"
program = "cat"

[processors.lines]
kind = "command"
program = "sh"
args = ["-c", '''head -c 1000000 /dev/zero | tr '\0' x; echo; echo "<img src=x onerror=hacked=1>"''']

[processors.outside]
kind = "worker"
rate = "30/m"

[schedules.nightly]
cron = "0 3 * * *"
content = "<b>copy</b>"
"#;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A port that a service can have twice, before and after a restart.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn script(name: &str, service: &Service) -> Child {
    let screenshots: PathBuf = root().join("target/browser/screenshots");
    Command::new("node")
        .arg(root().join("tests/browser").join(name))
        .env("VENOM", service.url("/"))
        .env("SCREENSHOTS", screenshots)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("scripts/test installs Node.js")
}

/// Runs a script to its end, and does what it asks for.
async fn run(name: &str) {
    let setup = Setup::new().port(free_port()).table(PROCESSORS).gates();
    let mut service = setup.start().await;
    let mut script = script(name, &service);
    let mut input = script.stdin.take().expect("a pipe");
    let output = script.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = in_time(name, lines.next_line()).await.expect("UTF-8") {
        service = obey(service, &line, &mut input).await;
    }
    let ended = in_time(name, script.wait()).await.expect("an exit status");
    assert!(ended.success(), "{name}: {ended}");
    service.resume().await;
    drop(service);
}

/// `{"do": …}`; the answer is a line.
async fn obey(service: Service, line: &str, input: &mut ChildStdin) -> Service {
    let Ok(order) = serde_json::from_str::<Value>(line) else {
        eprintln!("{line}");
        return service;
    };
    let id = order["id"].as_str().unwrap_or_default();
    let service = match order["do"].as_str().expect("an order") {
        "restart" => {
            let stopped = service.kill9().await;
            stopped.start().await
        }
        "say" => {
            let word = order["word"].as_str().expect("a word");
            service.say(id, word).await;
            service
        }
        "at_gate" => {
            service.at_gate(id).await;
            service
        }
        other => panic!("{other} is not known here"),
    };
    input
        .write_all(b"done\n")
        .await
        .expect("a script that reads");
    service
}

macro_rules! scripts {
    ($($name:ident: $file:literal,)*) => {$(
        #[tokio::test]
        #[ignore = "needs Node.js and Chromium: scripts/test installs them"]
        async fn $name() {
            run($file).await;
        }
    )*};
}

scripts! {
    browser_one_task_from_submission_to_deletion: "task.mjs",
    browser_lists_filter_and_act_on_many: "tasks.mjs",
    browser_queue_and_processors_are_steered: "queue.mjs",
    browser_keys_and_themes: "keys.mjs",
    browser_hostile_texts_stay_texts: "hostile.mjs",
    browser_a_restart_is_survived_with_nothing_missed: "restart.mjs",
    browser_five_thousand_events_do_not_freeze_it: "load.mjs",
    browser_charts_show_what_happened_also_after_a_restart: "charts.mjs",
    browser_pages_are_accessible_in_both_themes: "pages.mjs",
    browser_the_document_can_be_read_and_tried_out: "docs.mjs",
}
