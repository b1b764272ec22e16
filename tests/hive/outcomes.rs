//! What a task becomes when ARQ itself does not run its job, or runs it later: by a Python worker and by ours.

use serde_json::{Value, json};

use support::hive::{BACKGROUND, calls, hive, queued, until_queued};
use support::{Arq, Redis, Service, Yard, eventually};

/// A task that has failed so, after this attempt.
fn assert_failed(task: &Value, attempt: u64, error: &str) {
    let found = [&task["status"], &task["failure"], &task["attempt"]];
    let expected = [&json!("FAILED"), &json!("error"), &json!(attempt)];
    assert_eq!(found, expected, "{task}");
    let found = task["error"].as_str().expect("an error");
    assert!(found.contains(error), "{found}");
}

/// Submits a task and takes its job's body away while it waits, as its end of time does.
async fn submit_and_expire(service: &Service, redis: &Redis, function: &str) -> String {
    let id = service.submit_to(function, "text").await;
    until_queued(redis, BACKGROUND, 1).await;
    let body = format!("arq:job:{id}:1");
    let expired = redis.command(&["PEXPIRE", &body, "0"]).await;
    assert_eq!(expired.number(), 1);
    id
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_expires_before_a_worker_comes_is_a_failed_attempt() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let setup = hive(&redis).table(&calls("ok", "max_attempts = 1"));
        let service = setup.start().await;
        let id = submit_and_expire(&service, &redis, "ok").await;
        let _worker = arq.worker(&redis).await;
        assert_failed(&service.finished(&id).await, 1, "job expired");
        assert_eq!(arq.ledger(), [""; 0]);
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_worker_of_ours_says_that_a_job_has_expired_and_the_next_attempt_is_another_job() {
    let redis = Redis::start().await;
    let table = calls("upper", "max_attempts = 2\nbackoff = { first = 0 }");
    let service = hive(&redis).table(&table).start().await;
    let id = submit_and_expire(&service, &redis, "upper").await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    let task = service.finished(&id).await;
    let found = (&task["result"], &task["attempt"]);
    assert_eq!(found, (&json!("TEXT"), &json!(2)), "{task}");
    let error = task["error"].as_str().expect("why it was tried again");
    assert!(error.contains("job expired"), "{error}");
    assert_eq!(yard.ledger(), ["run text 1"]);
    service.ends_well().await;
}

/// ARQ counts the starts of one job, the service its attempts: each attempt has all of ARQ's tries.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_is_retried_too_often_is_one_failed_attempt() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let table = calls("retry_always", "max_attempts = 2\nbackoff = { first = 0 }");
        let service = hive(&redis).table(&table).start().await;
        let id = service.submit_to("retry_always", "").await;
        let task = service.finished(&id).await;
        assert_failed(&task, 2, "max 3 retries exceeded");
        let mut runs = Vec::new();
        for attempt in 1..=2 {
            runs.extend((1..=3).map(|start| format!("run {id} {id}:{attempt} {start}")));
        }
        assert_eq!(arq.ledger(), runs);
        service.ends_well().await;
    }
}

/// A function that has been put off is run by nobody: its time stops. Not with ARQ 0.26.1, which starts a job again that
/// it has put off while it reads the queue.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_time_of_a_job_stops_while_it_is_put_off() {
    let arq = Arq::newest(BACKGROUND);
    let redis = Redis::start().await;
    let _worker = arq.worker(&redis).await;
    let table = calls("retry_later", "max_attempts = 1\ntimeout = 1.5");
    let service = hive(&redis).table(&table).start().await;
    let id = service.submit_to("retry_later", "").await;
    eventually("the worker has given it back", || async {
        let logs = service.task(&id).await["logs"].to_string();
        logs.contains("Returned to its queue").then_some(())
    })
    .await;
    // For longer than it may run.
    let waited = service.get(&format!("/api/v1/tasks/{id}?wait=2")).await;
    assert_eq!(waited.expect(200)["status"], "PROCESSING");
    let job = format!("{id}:1");
    assert_eq!(queued(&redis, BACKGROUND).await, [job.as_str()]);
    redis.command(&["ZADD", BACKGROUND, "1", &job]).await;
    let task = service.finished(&id).await;
    let found = (&task["result"], &task["attempt"]);
    assert_eq!(found, (&json!("try 2"), &json!(1)), "{task}");
    service.ends_well().await;
}

/// `NaN`, infinities and half of a surrogate pair: the function has succeeded, and so has the task.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn what_only_python_knows_is_replaced_and_told() {
    for codec in ["json", "pickle"] {
        let redis = Redis::start().await;
        let arq = Arq::newest(BACKGROUND).codec(codec);
        let table = calls("odd", &format!("codec = {codec:?}\nmax_attempts = 1"));
        let service = hive(&redis).table(&table).start().await;
        let _worker = arq.worker(&redis).await;
        let id = service.submit_to("odd", "text").await;
        let task = service.finished(&id).await;
        let result = task["result"].as_str().expect("a result");
        let result: Value = serde_json::from_str(result).expect("JSON");
        assert_eq!(result["numbers"], json!([null, null, null, 1.5]), "{task}");
        // Pickle has the half in three bytes.
        let half = result["half"].as_str().expect("a text");
        assert_eq!(half.trim_end_matches('\u{fffd}'), "a", "{task}");
        assert_eq!(result["whole"], "\u{1f600}");
        let logs = task["logs"].to_string();
        for words in ["NaN or an infinity", "half of a surrogate pair"] {
            assert!(logs.contains(words), "{logs}");
        }
        service.ends_well().await;
    }
}
