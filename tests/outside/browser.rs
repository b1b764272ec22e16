//! The dashboard in a real Chromium: each test is a script of `tests/browser`, run against a service of its
//! own. A script may ask for things that no page can do: it prints a line and waits for the answer.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use support::{Redis, Service, Setup, in_time};

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

[processors.bar]
kind = "command"
program = "sh"
args = ["-c", '''printf '\033[31mred\033[1;39m bold\033[0m\n'; i=0
    while :; do printf '\r%d%%' $i; i=$((i + 1)); sleep 0.05; done''']

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

/// What each script's service begins with.
fn setup() -> Setup {
    Setup::new().port(free_port()).table(PROCESSORS).gates()
}

fn script(name: &str, service: &Service, more: &[(&str, &str)]) -> Child {
    let screenshots: PathBuf = root().join("target/browser/screenshots");
    Command::new("node")
        .arg(root().join("tests/browser").join(name))
        .env("VENOM", service.url("/"))
        .env("SCREENSHOTS", screenshots)
        .envs(more.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("scripts/test installs Node.js")
}

/// Runs a script to its end, and does what it asks for. It finds `more` in its environment.
async fn run(name: &str, setup: Setup, more: &[(&str, &str)]) {
    let mut service = setup.start().await;
    let mut script = script(name, &service, more);
    let mut input = script.stdin.take().expect("a pipe");
    let output = script.stdout.take().expect("a pipe");
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = in_time(name, lines.next_line()).await.expect("UTF-8") {
        service = obey(service, &line, &mut input).await;
    }
    let ended = in_time(name, script.wait()).await.expect("an exit status");
    assert!(ended.success(), "{name}: {ended}");
    service.get("/healthz").await.expect(200);
    drop(service);
}

/// `{"do": …}`; the answer is a line of JSON.
async fn obey(service: Service, line: &str, input: &mut ChildStdin) -> Service {
    let Ok(order) = serde_json::from_str::<Value>(line) else {
        eprintln!("{line}");
        return service;
    };
    let id = order["id"].as_str().unwrap_or_default();
    let mut answer = Value::Null;
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
        "settings" => {
            let text = order["text"].as_str().expect("a text");
            let path = service.setup().folder().join("venom.toml");
            let earlier = std::fs::read_to_string(&path).expect("settings");
            std::fs::write(path, format!("{earlier}{text}")).expect("a folder to write in");
            service
        }
        "token" => {
            let words: Vec<String> = serde_json::from_value(order["words"].clone()).expect("words");
            let words: Vec<_> = words.iter().map(String::as_str).collect();
            let made = service.setup().token(&words);
            assert!(made.status.success(), "{made:?}");
            answer = Value::from(String::from_utf8_lossy(&made.stdout).trim());
            service
        }
        other => panic!("{other} is not known here"),
    };
    input
        .write_all(format!("{answer}\n").as_bytes())
        .await
        .expect("a script that reads");
    service
}

macro_rules! scripts {
    ($($name:ident: $file:literal,)*) => {$(
        #[tokio::test]
        #[ignore = "needs Node.js and Chromium: scripts/test installs them"]
        async fn $name() {
            run($file, setup(), &[]).await;
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
    browser_brings_tasks_in_and_out: "data.mjs",
    browser_doctor_says_what_is_found_and_set: "doctor.mjs",
    browser_the_document_can_be_read_and_tried_out: "docs.mjs",
    browser_events_disturb_nobody_who_types_or_selects: "patience.mjs",
    browser_hears_all_after_a_restore_and_of_a_service_that_hangs: "restored.mjs",
    browser_shows_what_is_large_piece_by_piece: "large.mjs",
    browser_pages_of_strangers_touch_nothing: "foreign_pages.mjs",
    browser_shows_colours_and_bars: "terminal.mjs",
}

#[tokio::test]
#[ignore = "needs Node.js, Chromium and redis-server: scripts/test installs them"]
async fn browser_steers_the_whole_hive() {
    let redis = Redis::start().await;
    let hive = |setup: Setup| {
        setup
            .setting("enable_hive", true)
            .setting("redis_host", "\"127.0.0.1\"")
            .setting("redis_port", redis.port())
    };
    let other = hive(Setup::new()).start().await;
    run("hive.mjs", hive(setup()), &[("OTHER", &other.url("/"))]).await;
    other.stop().await;
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: scripts/test installs them"]
async fn browser_asks_for_a_token_and_shows_what_it_may() {
    let setup = setup().setting("auth", "\"required\"");
    let token = setup.create_token(&["root", "--role", "admin"]);
    run("login.mjs", setup, &[("VENOM_TOKEN", &token)]).await;
}

#[tokio::test]
#[ignore = "needs Node.js and Chromium: scripts/test installs them"]
async fn browser_pages_of_strangers_touch_nothing_of_who_is_logged_in() {
    let setup = setup().setting("auth", "\"required\"");
    let token = setup.create_token(&["root", "--role", "admin"]);
    run("foreign_pages.mjs", setup, &[("VENOM_TOKEN", &token)]).await;
}
