//! A clean stop: what runs may finish, the rest is given back, listeners are told, the dump is
//! written, the database is one closed file.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use support::ledger::{Ledger, check_attempts};
use support::{Service, Setup, Stopped, eventually};

const STUBBORN: &str = r#"
[processors.stubborn]
kind = "command"
program = "sh"
args = ["-c", "trap '' TERM; echo ready; sleep 1000 & wait; wait; sleep 1000"]
"#;

/// Submits until the service refuses because it stops; the ids that it still took.
async fn submit_until_stopping(service: &Service) -> Vec<String> {
    let mut accepted = Vec::new();
    loop {
        let body = json!({ "content": "while it stops" });
        let answer = service.post_json("/api/v1/tasks", &body).await;
        if answer.status == 503 {
            assert_eq!(answer.sentence(503), "The service is shutting down.");
            assert!(answer.headers.contains_key("retry-after"));
            return accepted;
        }
        let created = answer.expect(201);
        accepted.push(created["task_id"].as_str().expect("an id").to_owned());
    }
}

/// The dump holds every task as the database does, and there is no WAL to be replayed.
async fn check_left_behind(stopped: &Stopped) {
    let wal = stopped.setup().database_path().with_extension("db-wal");
    assert_eq!(fs::metadata(wal).map_or(0, |wal| wal.len()), 0);
    let dump = fs::read(stopped.setup().state_file()).expect("a dump");
    let dump: Value = serde_json::from_slice(&dump).expect("JSON");
    let mut dumped: Vec<_> = dump["tasks"]
        .as_array()
        .expect("tasks")
        .iter()
        .map(|task| {
            format!(
                "{} {}",
                task["id"].as_str().expect("an id"),
                task["status"].as_str().expect("one")
            )
        })
        .collect();
    dumped.sort();
    let mut database = stopped.database().await;
    let rows = database
        .texts("SELECT id || ' ' || status FROM tasks ORDER BY id")
        .await;
    assert_eq!(dumped, rows);
    assert!(
        !stopped.setup().log().contains("ERROR"),
        "{}",
        stopped.setup().log()
    );
}

async fn row(stopped: &Stopped, id: &str) -> String {
    let sql = format!(
        "SELECT printf('%s attempt %d uncounted %d crashes %d', status, attempt, uncounted, crashes)
           FROM tasks WHERE id = '{id}'"
    );
    stopped.database().await.text(&sql).await
}

#[tokio::test]
async fn what_runs_may_finish_and_nothing_new_begins() {
    let setup = Setup::new().gates().setting("shutdown_grace", 300);
    let service = setup.setting("max_concurrent_tasks", 2).start().await;
    let first = service.submit_to_gate("first").await;
    let second = service.submit_to_gate("second").await;
    let waiting = service.submit("waiting").await;
    let listener = service.listen("").await;
    service.terminate();
    let accepted = submit_until_stopping(&service).await;
    // A slot becomes free, and no task takes it.
    service.open_gate(&first).await;
    let status = service.queue_status().await;
    assert_eq!(status["active"], 1);
    assert_eq!(status["pending"], 1 + accepted.len());
    service.say(&second, "open").await;
    let stopped = service.ended().await;

    let (heard, close) = listener.until_closed().await;
    assert_eq!(u16::from(close.expect("a close frame").code), 1001);
    for id in [&first, &second] {
        let told =
            |event: &Value| event["type"] == "TASK_COMPLETED" && event["data"]["task_id"] == **id;
        assert_eq!(heard.iter().filter(|event| told(event)).count(), 1);
        assert_eq!(
            row(&stopped, id).await,
            "COMPLETED attempt 1 uncounted 0 crashes 0"
        );
    }
    let last = heard.last().expect("last words");
    assert_eq!(last["message"], "The service is shutting down");
    assert_eq!(
        row(&stopped, &waiting).await,
        "PENDING attempt 0 uncounted 0 crashes 0"
    );
    check_left_behind(&stopped).await;
    stopped.check().await;

    let service = stopped.start().await;
    for id in accepted.iter().chain([&waiting]) {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn what_does_not_finish_is_given_back_and_loses_no_attempt() {
    let service = Service::with_gates().await;
    let listener = service.listen("").await;
    let gate = service.submit_to_gate("interrupted").await;
    let stopped = service.stop().await;
    let (heard, close) = listener.until_closed().await;
    assert_eq!(u16::from(close.expect("a close frame").code), 1001);
    assert!(heard.iter().any(|event| event["type"] == "TASK_RETRYING"));
    assert_eq!(
        row(&stopped, &gate).await,
        "PENDING attempt 1 uncounted 1 crashes 0"
    );
    check_left_behind(&stopped).await;

    let service = stopped.start().await;
    service.say_again(&gate, 2, "open").await;
    assert_eq!(service.finished(&gate).await["attempt"], 2);
    check_attempts(&mut service.database().await).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_second_signal_ends_it_at_once_and_loses_nothing() {
    let setup = Setup::new().gates().setting("shutdown_grace", 300);
    let service = setup.start().await;
    let gate = service.submit_to_gate("interrupted").await;
    service.terminate();
    let accepted = submit_until_stopping(&service).await;
    service.signal(Signal::INT);
    let (status, stopped) = service.exited().await;
    assert_eq!(status.code(), Some(1));
    let service = stopped.start().await;
    service.say_again(&gate, 2, "open").await;
    assert_eq!(service.finished(&gate).await["attempt"], 2);
    for id in &accepted {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_command_that_ignores_the_stop_is_killed_and_its_task_given_back() {
    let service = Setup::new().table(STUBBORN).start().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("stubborn", "").await;
    listener.until("TASK_LOG", &id).await;
    let stopped = service.stop().await;
    assert_eq!(
        row(&stopped, &id).await,
        "PENDING attempt 1 uncounted 1 crashes 0"
    );
    eventually("its processes are gone", || async {
        support::processes_of_task(&id).is_empty().then_some(())
    })
    .await;
    check_left_behind(&stopped).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopped_under_load_it_keeps_what_it_acknowledged() {
    let ledger = Ledger::default();
    let service = Service::start().await;
    let mut load = ledger.load(&service, 16);
    load.reaches(200).await;
    let stopped = service.stop().await;
    load.ends().await;
    let mut database = stopped.database().await;
    ledger.check(&mut database).await;
    check_attempts(&mut database).await;
    check_left_behind(&stopped).await;
    stopped.check().await;
}
