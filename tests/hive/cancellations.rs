//! Jobs that nobody wants any more end, whatever was away at the moment when their tasks ended.

use serde_json::json;

use support::hive::{BACKGROUND, HIGH, calls, hive, queued, until_queued};
use support::{Arq, Redis, Service, eventually};

/// No task has a current job, and no mark is left that would end a later one.
async fn until_nothing_is_left(redis: &Redis) {
    eventually("nothing is left of the jobs", || async {
        let current = redis.command(&["KEYS", "venom:hive:current:*"]).await;
        let marks = redis.command(&["ZCARD", "arq:abort"]).await;
        (current.texts().is_empty() && marks.number() == 0).then_some(())
    })
    .await;
}

async fn until_connected(service: &Service) {
    eventually("the Hive is connected", || async {
        let status = service.queue_status().await;
        (status["hive"]["state"] == "connected").then_some(())
    })
    .await;
}

/// One job runs and one waits while their tasks wait again, paused, because the service has died; then `stop`
/// ends the tasks.
async fn ended_with_their_tasks(stop: impl AsyncFn(&Service)) {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let setup = hive(&redis).table(&calls("gate", ""));
        let service = setup.table(&calls("ok", "queue = \"high\"")).start().await;
        let runs = service.submit_to("gate", "open").await;
        let waits = service.submit_to("ok", "text").await;
        arq.until_noted(&format!("run {runs}"), 1).await;
        until_queued(&redis, HIGH, 1).await;
        service.pause().await;
        let service = service.kill9().await.start().await;
        until_connected(&service).await;
        stop(&service).await;
        for id in [&runs, &waits] {
            assert_eq!(service.task(id).await["failure"], "purged");
        }
        arq.until_noted(&format!("cancelled {runs} {runs}:1"), 1)
            .await;
        until_queued(&redis, HIGH, 0).await;
        until_queued(&redis, BACKGROUND, 0).await;
        until_nothing_is_left(&redis).await;
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_purge_ends_the_jobs_of_tasks_that_wait_again() {
    ended_with_their_tasks(async |service| drop(service.purge().await)).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_emergency_stop_ends_the_jobs_of_tasks_that_wait_again() {
    ended_with_their_tasks(async |service| drop(service.emergency_stop().await)).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn what_ends_while_redis_is_away_has_no_job_when_it_is_back() {
    let mut redis = Redis::start().await;
    let service = hive(&redis).table(&calls("ok", "")).start().await;
    let aborted = service.submit_to("ok", "aborted").await;
    let purged = service.submit_to("ok", "purged").await;
    until_queued(&redis, BACKGROUND, 2).await;
    redis.kill9().await;
    service.abort(&aborted).await.expect(200);
    let task = service.task(&aborted).await;
    assert_eq!(task["failure"], "aborted", "{task}");
    let logs = task["logs"].to_string();
    assert!(logs.contains("Redis is back"), "{logs}");
    // The other one waits again, and is purged before Redis is back.
    service.pause().await;
    let service = service.stop().await.start().await;
    service.purge().await;
    assert_eq!(service.task(&purged).await["failure"], "purged");
    redis.start_again().await;
    until_queued(&redis, BACKGROUND, 0).await;
    until_nothing_is_left(&redis).await;
    service.resume().await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    let id = service.submit_to("ok", "text").await;
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    assert_eq!(arq.ledger(), [format!("run {id} {id}:1 1")]);
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_attempt_does_not_go_on_with_a_job_that_ran_out_of_time_while_redis_was_away() {
    let mut redis = Redis::start().await;
    let table = calls(
        "ok",
        "timeout = 0.2\nmax_attempts = 2\nbackoff = { first = 0 }",
    );
    let service = hive(&redis).table(&table).start().await;
    let id = service.submit_to("ok", "text").await;
    until_queued(&redis, BACKGROUND, 1).await;
    // As a worker does it that has claimed the job and is not heard of again until it is to abort it.
    let claim = format!("arq:in-progress:{id}:1");
    redis.command(&["SET", &claim, "1"]).await;
    eventually("its time has begun", || async {
        let logs = service.task(&id).await["logs"].to_string();
        logs.contains("Started by a worker").then_some(())
    })
    .await;
    redis.kill9().await;
    eventually("the attempt is over", || async {
        let task = service.task(&id).await;
        (task["status"] == "PENDING").then_some(())
    })
    .await;
    redis.start_again().await;
    eventually("the worker is told", || async {
        let marks = redis.command(&["ZRANGE", "arq:abort", "0", "-1"]).await;
        (marks.texts() == [format!("{id}:1")]).then_some(())
    })
    .await;
    let result = format!("arq:result:{id}:1");
    redis.command(&["SET", &result, "cancelled"]).await;
    redis
        .command(&["ZREM", BACKGROUND, &format!("{id}:1")])
        .await;
    redis.command(&["DEL", &claim]).await;
    eventually("another job is sent", || async {
        (queued(&redis, BACKGROUND).await == [format!("{id}:2")]).then_some(())
    })
    .await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    assert_eq!(service.finished(&id).await["result"], "TEXT");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_purge_leaves_jobs_of_other_services_and_of_tasks_that_run() {
    let redis = Redis::start().await;
    let setup = || hive(&redis).table(&calls("ok", ""));
    let other = setup().start().await;
    let others = other.submit_to("ok", "other").await;
    until_queued(&redis, BACKGROUND, 1).await;
    // Its task waits again, as those of the service that is purged.
    let other = other.stop().await;
    let service = setup()
        .table(&calls("gate", "queue = \"high\""))
        .start()
        .await;
    let purged = service.submit_to("ok", "purged").await;
    let runs = service.submit_to("gate", "open").await;
    until_queued(&redis, BACKGROUND, 2).await;
    until_queued(&redis, HIGH, 1).await;
    let pause = json!({ "processor": "ok" });
    let paused = service.post_json("/api/v1/queue/pause", &pause).await;
    paused.expect(200);
    let service = service.kill9().await.start().await;
    eventually("the one runs again", || async {
        (service.task(&runs).await["status"] == "PROCESSING").then_some(())
    })
    .await;
    service.purge().await;
    until_queued(&redis, BACKGROUND, 1).await;
    assert_eq!(service.task(&purged).await["failure"], "purged");
    let other = other.start().await;
    let [arq, high] = [BACKGROUND, HIGH].map(Arq::newest);
    high.open_gate("open");
    let _workers = [arq.worker(&redis).await, high.worker(&redis).await];
    assert_eq!(other.finished(&others).await["result"], "OTHER");
    assert_eq!(service.finished(&runs).await["result"], "let through");
    assert_eq!(arq.ledger(), [format!("run {others} {others}:1 1")]);
    assert_eq!(high.ledger()[0], format!("run {runs} {runs}:1 1"));
    other.ends_well().await;
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_when_the_result_is_there_leaves_none_for_a_retry_by_hand() {
    let redis = Redis::start().await;
    let table = calls("ok", "codec = \"json\"");
    let service = hive(&redis).table(&table).start().await;
    let id = service.submit_to("ok", "text").await;
    until_queued(&redis, BACKGROUND, 1).await;
    let (job, key) = (format!("{id}:1"), format!("arq:result:{id}:1"));
    let result = json!({ "t": 1, "f": "ok", "a": [], "k": {}, "et": 1, "s": true, "r": "of before", "st": 1,
        "ft": 1, "q": BACKGROUND, "id": job });
    // Redis holds all that writes, and so the attempt between its result and its end.
    redis
        .transaction(&[
            &["ZREM", BACKGROUND, &job],
            &["DEL", &format!("arq:job:{job}")],
            &["SET", &key, &result.to_string()],
            &["CLIENT", "PAUSE", "600000", "WRITE"],
        ])
        .await;
    eventually("the result is read", || async {
        let clients = redis.command(&["CLIENT", "LIST"]).await;
        clients.text().contains("cmd=pexpire").then_some(())
    })
    .await;
    service.abort(&id).await.expect(200);
    assert_eq!(service.task(&id).await["failure"], "aborted");
    redis.command(&["CLIENT", "UNPAUSE"]).await;
    let retried = service.post(&format!("/api/v1/tasks/{id}/retry")).await;
    retried.expect(200);
    until_queued(&redis, BACKGROUND, 1).await;
    assert_eq!(queued(&redis, BACKGROUND).await, [format!("{id}:2")]);
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_retry_by_hand_takes_no_result_of_before() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    let id = service.submit_to("gate", "open").await;
    arq.until_noted(&format!("run {id}"), 1).await;
    service.pause().await;
    let stopped = service.stop().await;
    arq.open_gate("open");
    until_queued(&redis, BACKGROUND, 0).await;
    let service = stopped.start().await;
    until_connected(&service).await;
    service.purge().await;
    until_nothing_is_left(&redis).await;
    service
        .post(&format!("/api/v1/tasks/{id}/retry"))
        .await
        .expect(200);
    service.resume().await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "let through", "{task}");
    let last = format!("run {id} {id}:{} 1", task["attempt"]);
    assert_eq!(
        arq.ledger().iter().filter(|line| **line == last).count(),
        1,
        "{:?}",
        arq.ledger()
    );
    service.ends_well().await;
}
