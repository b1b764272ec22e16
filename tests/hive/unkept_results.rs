//! Functions whose results ARQ does not keep (`keep_result = 0`).

use serde_json::json;

use support::hive::{BACKGROUND, calls, hive, until_queued};
use support::{Arq, Redis};

/// Whether Redis tells of keys by itself or not.
async fn said_at_the_first_time(arguments: &[&str]) {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::with_arguments(arguments).await;
        let table = calls("quiet", "max_attempts = 3\nbackoff = { first = 0 }");
        let service = hive(&redis).table(&table).start().await;
        let _worker = arq.worker(&redis).await;
        let id = service.submit_to("quiet", "gate").await;
        arq.until_noted(&format!("run {id}"), 1).await;
        arq.open_gate("gate");
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["status"], &task["attempt"]),
            (&json!("FAILED"), &json!(1)),
            "{task}"
        );
        let error = task["error"].as_str().expect("an error");
        for words in ["keep_result", "expects_result = false"] {
            assert!(error.contains(words), "{error}");
        }
        let logs = task["logs"].to_string();
        assert!(!logs.contains("Returned to its queue"), "{logs}");
        assert_eq!(arq.noted("run"), 1, "{:?}", arq.ledger());
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_result_that_is_not_kept_is_said_at_the_first_time() {
    said_at_the_first_time(&[]).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_result_that_is_not_kept_is_said_where_redis_tells_of_no_keys() {
    said_at_the_first_time(&["--rename-command", "CONFIG", ""]).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_task_that_expects_no_result_is_completed_when_its_job_ends() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let table = calls("quiet", "expects_result = false");
        let service = hive(&redis).table(&table).start().await;
        let _worker = arq.worker(&redis).await;
        let id = service.submit_to("quiet", "gate").await;
        arq.until_noted(&format!("run {id}"), 1).await;
        assert_eq!(service.task(&id).await["status"], "PROCESSING");
        arq.open_gate("gate");
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["status"], &task["result"]),
            (&json!("COMPLETED"), &json!("")),
            "{task}"
        );
        let logs = task["logs"].to_string();
        assert!(logs.contains("expects_result = false"), "{logs}");
        assert_eq!(arq.noted("run"), 1, "{:?}", arq.ledger());
        service.ends_well().await;
    }
}

/// Nothing is left of the job when the service is back.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_without_a_result_that_ends_while_the_service_is_away_runs_once() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let table = calls("quiet", "expects_result = false");
    let service = hive(&redis).table(&table).start().await;
    let _worker = arq.worker(&redis).await;
    let id = service.submit_to("quiet", "gate").await;
    arq.until_noted(&format!("run {id}"), 1).await;
    let stopped = service.kill9().await;
    arq.open_gate("gate");
    until_queued(&redis, BACKGROUND, 0).await;
    let service = stopped.start().await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "COMPLETED", "{task}");
    assert_eq!(arq.noted("run"), 1, "{:?}", arq.ledger());
    service.ends_well().await;
}

/// What a function stores all the same counts.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_result_that_nobody_expected_is_the_result() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let setup = hive(&redis).table(&calls("ok", "expects_result = false"));
    let table = calls("fail", "expects_result = false\nmax_attempts = 1");
    let service = setup.table(&table).start().await;
    let _worker = arq.worker(&redis).await;
    let id = service.submit_to("ok", "text").await;
    assert_eq!(service.finished(&id).await["result"], "TEXT");
    let id = service.submit_to("fail", "text").await;
    assert_eq!(service.finished(&id).await["error"], "ValueError: bad");
    service.ends_well().await;
}
