//! A Redis that forgets everything (FLUSHALL, or a restart without its data) while jobs run: what runs delivers its
//! result, and nothing runs twice.

use serde_json::json;

use support::hive::{BACKGROUND, HIGH, calls, hive};
use support::{Arq, Redis, Service, Yard, eventually, put, result_text};

async fn until_there(redis: &Redis, key: &str) {
    eventually(&format!("{key} is there"), || async {
        let found = redis.command(&["EXISTS", key]).await;
        (found.number() == 1).then_some(())
    })
    .await;
}

async fn until_logged(service: &Service, id: &str, words: &str) {
    eventually(&format!("the task's log says {words:?}"), || async {
        let logs = service.task(id).await["logs"].to_string();
        logs.contains(words).then_some(())
    })
    .await;
}

/// Before and after the worker has claimed it again.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_redis_forgets_while_it_runs_delivers_its_result() {
    for until_claimed_again in [true, false] {
        let redis = Redis::start().await;
        let yard = Yard::new();
        let worker = yard.worker(&redis, "a").await;
        put(&redis, HIGH, "job", "gate", "gate", "5").await;
        yard.until_noted("run gate 1").await;
        redis.command(&["FLUSHALL"]).await;
        if until_claimed_again {
            until_there(&redis, "arq:in-progress:job").await;
        }
        yard.open_gate("gate");
        let end = result_text(&redis, "job").await;
        assert!(end.contains("let through"), "{end}");
        assert_eq!(yard.ledger(), ["run gate 1", "done gate 1"]);
        let left = redis.command(&["KEYS", "arq:*"]).await;
        assert_eq!(left.texts(), ["arq:result:job"]);
        let log = worker.log();
        assert!(!log.contains("another worker"), "{log}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_task_whose_job_redis_forgets_runs_once_on_a_worker_of_ours() {
    let redis = Redis::start().await;
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    let id = service.submit_to("gate", "gate").await;
    yard.until_noted("run gate 1").await;
    redis.command(&["FLUSHALL"]).await;
    // The service has found it claimed again. So another service, or this one after a restart, finds it too.
    until_there(&redis, &format!("venom:hive:current:{id}")).await;
    let service = service.kill9().await.start().await;
    until_logged(&service, &id, "Continues with job").await;
    yard.open_gate("gate");
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "let through", "{task}");
    assert_eq!(yard.ledger(), ["run gate 1", "done gate 1"]);
    service.ends_well().await;
}

/// Nothing in Redis says that it runs, and its worker writes the result all the same.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_task_whose_job_redis_forgets_runs_once_on_a_worker_of_arq() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let service = hive(&redis).table(&calls("gate", "")).start().await;
        let _worker = arq.worker(&redis).await;
        let id = service.submit_to("gate", "gate").await;
        until_logged(&service, &id, "Started by a worker").await;
        redis.command(&["FLUSHALL"]).await;
        until_logged(&service, &id, "does not know the job").await;
        arq.open_gate("gate");
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["result"], &task["attempt"]),
            (&json!("let through"), &json!(1)),
            "{task}"
        );
        assert_eq!(arq.noted("run"), 1, "{:?}", arq.ledger());
        service.ends_well().await;
    }
}

/// At once: neither the worker nor the service has noticed.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_redis_has_forgotten_can_be_aborted() {
    let redis = Redis::start().await;
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    let id = service.submit_to("gate", "gate").await;
    until_logged(&service, &id, "Started by a worker").await;
    yard.until_noted("run gate 1").await;
    redis.command(&["FLUSHALL"]).await;
    service.abort(&id).await.expect(200);
    let end = result_text(&redis, &format!("{id}:1")).await;
    assert!(end.contains("CancelledError"), "{end}");
    let task = service.task(&id).await;
    assert_eq!(task["failure"], "aborted", "{task}");
    let logs = task["logs"].to_string();
    assert!(!logs.contains("may still run"), "{logs}");
    service.ends_well().await;
}

/// As it is for a worker that was cut off for as long as its claim holds.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_was_ended_without_its_worker_is_not_taken_for_forgotten() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    // What is left when a service ends a job that no worker has.
    redis
        .transaction(&[
            &["DEL", "arq:in-progress:job", "arq:job:job"],
            &["ZREM", HIGH, "job"],
            &["SETEX", "arq:retry:job", "88400", "0"],
        ])
        .await;
    worker
        .until_said("another worker has claimed the job, or it no longer exists")
        .await;
    yard.open_gate("gate");
    assert_eq!(yard.ledger(), ["run gate 1"]);
}
