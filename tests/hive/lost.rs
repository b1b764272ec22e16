//! Jobs that come to nothing: a Redis that forgets, workers that die or will not stop.

use serde_json::json;

use support::hive::{BACKGROUND, HIGH, calls, hive, queued, until_queued};
use support::{Arq, Redis, Yard, eventually};

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn jobs_that_redis_forgets_are_sent_again_so_many_times() {
    let redis = Redis::start().await;
    let setup = hive(&redis)
        .setting("hive_max_retries", 2)
        .setting("hive_zombie_task_timeout", 1);
    let service = setup
        .table(&calls("ok", "backoff = { first = 0 }"))
        .start()
        .await;
    for found_again in [true, false] {
        let id = service.submit_to("ok", "text").await;
        until_queued(&redis, BACKGROUND, 1).await;
        assert_eq!(queued(&redis, BACKGROUND).await, [format!("{id}:1")]);
        redis.command(&["FLUSHALL"]).await;
        until_queued(&redis, BACKGROUND, 1).await;
        assert_eq!(queued(&redis, BACKGROUND).await, [format!("{id}:2")]);
        if found_again {
            let arq = Arq::newest(BACKGROUND);
            let worker = arq.worker(&redis).await;
            let task = service.finished(&id).await;
            assert_eq!(
                (&task["result"], &task["attempt"]),
                (&json!("TEXT"), &json!(2))
            );
            assert_eq!(arq.ledger(), [format!("run {id} {id}:2 1")]);
            worker.stop().await;
        } else {
            redis.command(&["FLUSHALL"]).await;
            let task = service.finished(&id).await;
            assert_eq!(
                (&task["failure"], &task["attempt"]),
                (&json!("lost"), &json!(2)),
                "{task}"
            );
        }
    }
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_whose_worker_has_died_is_sent_again() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let worker = arq.worker(&redis).await;
    let setup = hive(&redis).setting("hive_zombie_task_timeout", 1);
    let table = calls("gate", "backoff = { first = 0 }");
    let service = setup.table(&table).start().await;
    let id = service.submit_to("gate", "open").await;
    arq.until_noted(&format!("run {id}"), 1).await;
    worker.kill9().await;
    // ARQ itself would wait five minutes for the claim of the dead one to expire.
    eventually("another job is sent", || async {
        (queued(&redis, BACKGROUND).await == [format!("{id}:2")]).then_some(())
    })
    .await;
    arq.open_gate("open");
    let _worker = arq.worker(&redis).await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["result"], &task["attempt"]),
        (&json!("let through"), &json!(2)),
        "{task}"
    );
    let error = task["error"].as_str().expect("why it was tried again");
    assert!(error.contains("hive_zombie_task_timeout"), "{error}");
    assert_eq!(arq.noted(&format!("run {id} {id}:2 1")), 1);
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_takes_too_long_is_aborted_and_its_time_begins_with_its_run() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let table = calls("gate", "max_attempts = 1\ntimeout = 0.2");
    let service = hive(&redis).table(&table).start().await;
    let id = service.submit_to("gate", "never").await;
    until_queued(&redis, BACKGROUND, 1).await;
    // It waits for a worker for longer than it may run.
    let waited = service.get(&format!("/api/v1/tasks/{id}?wait=0.4")).await;
    assert_eq!(waited.expect(200)["status"], "PROCESSING");
    let _worker = arq.worker(&redis).await;
    let task = service.finished(&id).await;
    assert_eq!(task["failure"], "timeout", "{task}");
    arq.until_noted(&format!("cancelled {id} {id}:1"), 1).await;
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_function_that_will_not_stop_leaves_a_word_in_the_log() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    let service = hive(&redis).table(&calls("stubborn", "")).start().await;
    let id = service.submit_to("stubborn", "open").await;
    arq.until_noted(&format!("run {id}"), 1).await;
    service.abort(&id).await.expect(200);
    let task = service.task(&id).await;
    assert_eq!(task["failure"], "aborted", "{task}");
    let logs = task["logs"].to_string();
    assert!(logs.contains("may still run"), "{logs}");
    assert_eq!(queued(&redis, BACKGROUND).await, [""; 0]);
    arq.open_gate("open");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn what_anybody_may_write_into_redis_is_an_error_of_the_task_at_most() {
    let redis = Redis::start().await;
    let table = calls("ok", "max_attempts = 1");
    let service = hive(&redis).table(&table).start().await;
    for nonsense in ["\u{4}.", "cos\nsystem\n(S'true'\ntR.", "{}"] {
        let id = service.submit_to("ok", "text").await;
        until_queued(&redis, BACKGROUND, 1).await;
        let result = format!("arq:result:{id}:1");
        redis.command(&["SET", &result, nonsense]).await;
        let task = service.finished(&id).await;
        let error = task["error"].as_str().expect("an error");
        assert!(error.starts_with("its result cannot be read"), "{error}");
        redis.command(&["DEL", BACKGROUND]).await;
    }
    // No string at all, where a string belongs.
    let id = service.submit_to("ok", "text").await;
    until_queued(&redis, BACKGROUND, 1).await;
    let result = format!("arq:result:{id}:1");
    redis.command(&["LPUSH", &result, "x"]).await;
    let task = service.finished(&id).await;
    let error = task["error"].as_str().expect("an error");
    assert!(error.contains("WRONGTYPE"), "{error}");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn another_job_is_not_taken_for_the_tasks_own() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let service = hive(&redis).table(&calls("ok", "")).start().await;
    service.pause().await;
    let id = service.submit_to("ok", "text").await;
    let current = format!("venom:hive:current:{id}");
    let (strange, own) = (format!("x {BACKGROUND}"), format!("{id}:1"));
    redis.command(&["SET", &current, &strange]).await;
    redis.command(&["SET", "arq:result:x", "x"]).await;
    let other = service.submit_to("ok", "other").await;
    let current = format!("venom:hive:current:{other}");
    redis.command(&["LPUSH", &current, "x"]).await;
    service.resume().await;
    until_queued(&redis, BACKGROUND, 2).await;
    assert!(queued(&redis, BACKGROUND).await.contains(&own));
    let _worker = arq.worker(&redis).await;
    assert_eq!(service.finished(&id).await["result"], "TEXT");
    assert_eq!(service.finished(&other).await["result"], "OTHER");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_is_found_again_when_its_queue_has_another_name() {
    let redis = Redis::start().await;
    let service = hive(&redis).table(&calls("ok", "")).start().await;
    let id = service.submit_to("ok", "text").await;
    until_queued(&redis, BACKGROUND, 1).await;
    let stopped = service.stop().await;
    let service = stopped
        .with_setting("hive_background_queue", "\"another\"")
        .start()
        .await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "TEXT", "{task}");
    assert_eq!(arq.ledger(), [format!("run {id} {id}:1 1")]);
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_worker_of_ours_may_have_a_job_for_as_long_as_it_lives() {
    let redis = Redis::start().await;
    let setup = hive(&redis).setting("hive_zombie_task_timeout", 1);
    let setup = setup
        .table(&calls("gate", ""))
        .table(&calls("upper", "queue = \"high\"\nmax_attempts = 1"));
    let service = setup.start().await;
    let yard = Yard::new();
    let flags = ["--queue", BACKGROUND];
    let _worker = yard.worker_with(&redis, "w", &flags, "").await;
    let ours = service.submit_to("gate", "long").await;
    yard.until_noted("run long 1").await;
    // One that a worker of ARQ's has claimed since is given up: so both were looked at for long enough.
    let theirs = service.submit_to("upper", "text").await;
    until_queued(&redis, HIGH, 1).await;
    let claim = format!("arq:in-progress:{theirs}:1");
    redis.command(&["SET", &claim, "1", "PX", "300000"]).await;
    assert_eq!(service.finished(&theirs).await["failure"], "lost");
    yard.open_gate("long");
    let task = service.finished(&ours).await;
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("COMPLETED"), &json!(1)),
        "{task}"
    );
    service.ends_well().await;
}
