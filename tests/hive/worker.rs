//! `venom hive worker` on a real Redis, between real ARQ clients and the service: each outcome that ARQ knows,
//! and what happens to jobs when a worker stops, dies or is cut off.

use std::collections::HashSet;

use futures_util::future::join;
use serde_json::{Value, json};

use support::hive::{calls, hive};
use support::{Arq, Backend, HiveWorker, Redis, Reply, Setup, Yard, eventually, put, result_text};

const HIGH: &str = "venom:tasks:high";
const BACKGROUND: &str = "venom:tasks:background";

/// What is left in Redis of this job: which of ARQ's keys exist, the result's not counted.
async fn left_of(redis: &Redis, queue: &str, id: &str) -> Vec<&'static str> {
    let mut left = Vec::new();
    for key in ["arq:job:", "arq:in-progress:", "arq:retry:"] {
        let found = redis.command(&["EXISTS", &format!("{key}{id}")]).await;
        if found.number() == 1 {
            left.push(key);
        }
    }
    for key in [queue, "arq:abort"] {
        if redis.command(&["ZSCORE", key, id]).await != Reply::Null {
            left.push("a set");
        }
    }
    left
}

async fn exists(redis: &Redis, key: &str) -> bool {
    redis.command(&["EXISTS", key]).await.number() == 1
}

async fn ends_as(arq: &Arq, redis: &Redis, id: &str, end: Value) {
    let found = arq.client(redis, &["result", id]).await;
    assert_eq!(found, end, "{id}");
    assert_eq!(arq.client(redis, &["status", id]).await, "complete");
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_python_client_sees_each_outcome_as_from_a_worker_of_its_own() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let yard = Yard::new();
        let _worker = yard.worker(&redis, "a").await;
        let failed = |why: &str| json!({ "error": format!("JobExecutionFailed: {why}") });
        for (function, end) in [
            ("upper", json!({ "result": "TEXT" })),
            ("echo", json!({ "result": "Processed: text" })),
            ("slow", json!({ "error": "TimeoutError: " })),
            ("nowhere", failed("function 'nowhere' not found")),
        ] {
            arq.enqueue(&redis, function, function, "text").await;
            ends_as(&arq, &redis, function, end).await;
            assert!(left_of(&redis, BACKGROUND, function).await.is_empty());
        }
        arq.enqueue(&redis, "fail", "fail", "text").await;
        let found = arq.client(&redis, &["result", "fail"]).await;
        let error = found["error"].as_str().expect("an error");
        assert!(
            error.starts_with("JobExecutionFailed: ") && error.contains("bad"),
            "{error}"
        );

        // A job whose body has expired, and one that has been started too often.
        redis.command(&["ZADD", BACKGROUND, "1", "expired"]).await;
        ends_as(&arq, &redis, "expired", failed("job expired")).await;
        redis.command(&["SET", "arq:retry:often", "5"]).await;
        arq.enqueue(&redis, "often", "upper", "text").await;
        ends_as(&arq, &redis, "often", failed("max 5 retries exceeded")).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_result_is_written_as_its_job_was() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    for codec in ["pickle", "json", "msgpack"] {
        let arq = Arq::newest(HIGH).codec(codec);
        arq.enqueue(&redis, codec, "upper", "text").await;
        ends_as(&arq, &redis, codec, json!({ "result": "TEXT" })).await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_python_client_aborts_what_runs_and_what_waits() {
    for arq in Arq::both(HIGH) {
        let redis = Redis::start().await;
        let yard = Yard::new();
        arq.enqueue(&redis, "waits", "gate", "waits").await;
        let start = async {
            eventually("the abort is wanted", || async {
                let mark = redis.command(&["ZSCORE", "arq:abort", "waits"]).await;
                (mark != Reply::Null).then_some(())
            })
            .await;
            yard.worker(&redis, "a").await
        };
        let (aborted, _worker) = join(arq.client(&redis, &["abort", "waits"]), start).await;
        assert_eq!(aborted, true);
        assert!(yard.ledger().is_empty());

        arq.enqueue(&redis, "runs", "gate", "runs").await;
        yard.until_noted("run runs 1").await;
        assert_eq!(arq.client(&redis, &["status", "runs"]).await, "in_progress");
        assert_eq!(arq.client(&redis, &["abort", "runs"]).await, true);
        assert!(left_of(&redis, HIGH, "runs").await.is_empty());
        assert_eq!(yard.ledger(), ["run runs 1"]);
    }
}

/// ARQ's client makes such a job due first, and marks it then.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_deferred_job_that_a_python_client_aborts_never_runs() {
    for arq in Arq::both(HIGH) {
        let redis = Redis::start().await;
        let yard = Yard::new();
        let _worker = yard.worker(&redis, "a").await;
        for (prefix, pause_ms) in [("plain", "0"), ("paused", "1"), ("slow", "100")] {
            let words = ["abort_deferred", prefix, "upper", "10", pause_ms];
            let aborted = arq.client(&redis, &words).await;
            assert_eq!(
                (aborted, yard.ledger()),
                (json!(10), Vec::new()),
                "{prefix}"
            );
        }
        assert_eq!(redis.command(&["ZCARD", HIGH]).await.number(), 0);
        assert_eq!(redis.command(&["ZCARD", "arq:abort"]).await.number(), 0);
    }
}

/// Whoever has put the score 1 there and marks nothing wants the job run, also if a mark of an earlier job of that id
/// was left behind.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_of_the_score_one_runs_if_no_abort_follows() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let flags = ["--max-jobs", "1"];
    let _worker = yard.worker_with(&redis, "a", &flags, "").await;
    redis.command(&["ZADD", "arq:abort", "5", "marked"]).await;
    let body = r#"{"t": null, "f": "upper", "a": ["marked", "marked"], "k": {}, "et": 1000000}"#;
    redis.command(&["SET", "arq:job:marked", body]).await;
    redis.command(&["ZADD", HIGH, "1", "marked"]).await;
    put(&redis, HIGH, "unmarked", "upper", "unmarked", "1").await;
    put(&redis, HIGH, "early", "upper", "early", "-inf").await;
    for id in ["marked", "unmarked", "early"] {
        let end = result_text(&redis, id).await;
        assert!(end.contains(&id.to_uppercase()), "{end}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_job_of_a_killed_worker_is_taken_over_when_its_claim_expires() {
    let redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let yard = Yard::new();
    let killed = yard.worker(&redis, "a").await;
    arq.enqueue(&redis, "job", "gate", "gate").await;
    yard.until_noted("run gate 1").await;
    killed.kill9().await;
    let left = redis.command(&["PTTL", "arq:in-progress:job"]).await;
    assert!((1..=30_000).contains(&left.number()), "{left:?}");
    let _worker = yard.worker(&redis, "b").await;
    redis
        .command(&["PEXPIRE", "arq:in-progress:job", "10"])
        .await;
    yard.until_noted("run gate 2").await;
    yard.open_gate("gate");
    ends_as(&arq, &redis, "job", json!({ "result": "let through" })).await;
}

/// Its end is put off before it comes: seen on a claim that would never end.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_end_of_a_claim_is_put_off_while_its_job_runs() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    let claim = "arq:in-progress:job";
    assert_eq!(redis.command(&["PERSIST", claim]).await.number(), 1);
    let left = eventually("the claim has an end again", || async {
        let left = redis.command(&["PTTL", claim]).await.number();
        (left > 0).then_some(left)
    })
    .await;
    assert!(left <= 30_000, "{left}");
}

/// Without room for more, the claim is kept; with room, the job may be claimed as if it were a new one, and what
/// runs goes on.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_whose_claim_has_expired_goes_on_if_nobody_else_has_it() {
    for max_jobs in ["1", "2"] {
        let redis = Redis::start().await;
        let yard = Yard::new();
        let flags = ["--max-jobs", max_jobs];
        let _worker = yard.worker_with(&redis, "a", &flags, "").await;
        put(&redis, HIGH, "job", "gate", "gate", "5").await;
        yard.until_noted("run gate 1").await;
        let expire =
            "redis.call('DEL', 'arq:in-progress:job') redis.call('ZADD', KEYS[1], 6, 'job')";
        redis.command(&["EVAL", expire, "1", HIGH]).await;
        eventually("the job is claimed again", || async {
            exists(&redis, "arq:in-progress:job").await.then_some(())
        })
        .await;
        if max_jobs == "1" {
            assert_eq!(redis.command(&["GET", "arq:retry:job"]).await.text(), "1");
        }
        yard.open_gate("gate");
        let end = result_text(&redis, "job").await;
        assert!(end.contains("let through"), "{end}");
        assert_eq!(yard.ledger(), ["run gate 1", "done gate 1"]);
        assert!(left_of(&redis, HIGH, "job").await.is_empty());
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_clean_stop_gives_jobs_back_and_counts_nothing() {
    let redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let yard = Yard::new();
    let stopped = yard.worker(&redis, "a").await;
    arq.enqueue(&redis, "job", "gate", "gate").await;
    yard.until_noted("run gate 1").await;
    let health = format!("{HIGH}:health-check");
    eventually("its health is told", || async {
        exists(&redis, &health).await.then_some(())
    })
    .await;
    assert_eq!(stopped.stop().await.code(), Some(0));
    assert!(!exists(&redis, &health).await);
    assert!(!exists(&redis, "arq:in-progress:job").await);
    assert_eq!(redis.command(&["GET", "arq:retry:job"]).await.text(), "0");
    assert_eq!(arq.client(&redis, &["status", "job"]).await, "queued");
    yard.open_gate("gate");
    let _worker = yard.worker(&redis, "b").await;
    ends_as(&arq, &redis, "job", json!({ "result": "let through" })).await;
    assert_eq!(yard.ledger(), ["run gate 1", "run gate 1", "done gate 1"]);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_runs_outlives_redis() {
    let mut redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    arq.enqueue(&redis, "job", "gate", "gate").await;
    yard.until_noted("run gate 1").await;
    redis.kill9().await;
    worker.until_said("Redis is unreachable").await;
    yard.open_gate("gate");
    yard.until_noted("done gate 1").await;
    redis.start_again().await;
    ends_as(&arq, &redis, "job", json!({ "result": "let through" })).await;
    assert_eq!(yard.ledger(), ["run gate 1", "done gate 1"]);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn who_has_lost_a_claim_ends_the_job_and_leaves_it_to_its_owner() {
    let redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    arq.enqueue(&redis, "job", "gate", "gate").await;
    yard.until_noted("run gate 1").await;
    redis.command(&["SET", "arq:in-progress:job", "1"]).await;
    worker
        .until_said("another worker has claimed the job")
        .await;
    assert_eq!(
        redis.command(&["GET", "arq:in-progress:job"]).await.text(),
        "1"
    );
    assert!(!exists(&redis, "arq:result:job").await);
    assert_eq!(arq.client(&redis, &["status", "job"]).await, "in_progress");
}

/// It may end before the worker has noticed.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn who_has_lost_a_claim_writes_no_result_over_its_owners() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    let steal = "redis.call('SET', 'arq:in-progress:job', '1') redis.call('INCR', 'arq:retry:job') \
                 redis.call('SET', 'arq:result:job', 'of its owner')";
    redis.command(&["EVAL", steal, "0"]).await;
    yard.open_gate("gate");
    worker
        .until_said("another worker has claimed the job")
        .await;
    let result = redis.command(&["GET", "arq:result:job"]).await;
    assert_eq!(result.text(), "of its owner");
    assert_eq!(redis.command(&["GET", "arq:retry:job"]).await.text(), "2");
    assert!(exists(&redis, "arq:in-progress:job").await);
}

/// A worker whose processor `hook` calls this backend.
async fn worker_that_calls(backend: &Backend, yard: &Yard, redis: &Redis) -> HiveWorker {
    let url = backend.url();
    let hook = format!("[processors.hook]\nkind = \"webhook\"\nurl = \"{url}\"\n");
    yard.worker_with(redis, "a", &[], &hook).await
}

/// The service behind a webhook asks for patience: the job waits for it, and that is no try of its own.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_processor_that_has_to_wait_defers_its_job_and_counts_nothing() {
    let redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let yard = Yard::new();
    let backend = Backend::start().await;
    let _worker = worker_that_calls(&backend, &yard, &redis).await;
    arq.enqueue(&redis, "job", "hook", "text").await;
    let call = backend.next().await;
    assert_eq!(call.json()["data"]["task"]["content"], "text");
    let patience = "Retry-After: 1\r\n";
    call.answer("429 Too Many Requests", patience, "").await;
    let call = backend.next().await;
    assert_eq!(call.json()["data"]["attempt"], 1);
    call.answer("200 OK", "", "done").await;
    ends_as(&arq, &redis, "job", json!({ "result": "done" })).await;
}

/// Meanwhile no job of the processor begins.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_jobs_of_a_processor_that_has_to_wait_are_deferred_until_then() {
    let redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let yard = Yard::new();
    let backend = Backend::start().await;
    let _worker = worker_that_calls(&backend, &yard, &redis).await;
    put(&redis, HIGH, "first", "hook", "text", "5").await;
    let call = backend.next().await;
    let patience = "Retry-After: 3600\r\n";
    call.answer("429 Too Many Requests", patience, "").await;
    let mut due = Vec::new();
    for id in ["first", "second"] {
        if id == "second" {
            put(&redis, HIGH, id, "hook", "text", "5").await;
        }
        let at = eventually("the job is deferred", || async {
            let at = redis.command(&["ZSCORE", HIGH, id]).await;
            Some(at.text().parse::<f64>().expect("a time")).filter(|at| *at > 5.0)
        });
        due.push(at.await);
        assert_eq!(arq.client(&redis, &["status", id]).await, "deferred");
        let key = format!("arq:retry:{id}");
        assert_eq!(redis.command(&["GET", &key]).await.text(), "0");
    }
    // A second call would not have been answered, and its job would not have come back.
    assert_eq!(due[0], due[1]);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn urgent_jobs_come_first_and_a_score_of_zero_never() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    for (queue, id) in [(BACKGROUND, "later"), (HIGH, "sooner")] {
        put(&redis, queue, id, "upper", id, "5").await;
    }
    put(&redis, HIGH, "never", "upper", "never", "0").await;
    let _worker = yard
        .worker_with(&redis, "a", &["--max-jobs", "1"], "")
        .await;
    for id in ["sooner", "later"] {
        let end = result_text(&redis, id).await;
        assert!(end.contains(&id.to_uppercase()), "{end}");
    }
    assert!(!exists(&redis, "arq:result:never").await);
    assert_eq!(yard.ledger(), ["run sooner 1", "run later 1"]);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_is_found_behind_many_that_others_run() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    for number in 1..=300 {
        let (id, score) = (format!("theirs{number}"), number.to_string());
        put(&redis, BACKGROUND, &id, "upper", &id, &score).await;
        let claim = format!("arq:in-progress:{id}");
        redis.command(&["SET", &claim, "1"]).await;
    }
    put(&redis, BACKGROUND, "ours", "upper", "ours", "301").await;
    let _worker = yard
        .worker_with(&redis, "a", &["--max-jobs", "1"], "")
        .await;
    result_text(&redis, "ours").await;
    assert_eq!(yard.ledger(), ["run ours 1"]);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn two_workers_run_a_thousand_jobs_once_each() {
    const PUT: &str = "for i = 1, 1000 do \
        redis.call('SET', 'arq:job:j' .. i, cjson.encode({t = cjson.null, f = 'upper', \
            a = {'j' .. i, 'j' .. i}, k = cjson.decode('{}'), et = 1})) \
        redis.call('ZADD', KEYS[1], i, 'j' .. i) end";
    let redis = Redis::start().await;
    let yard = Yard::new();
    redis.command(&["EVAL", PUT, "1", BACKGROUND]).await;
    let _a = yard.worker(&redis, "a").await;
    let _b = yard.worker(&redis, "b").await;
    eventually("all jobs have ended", || async {
        let left = redis.command(&["ZCARD", BACKGROUND]).await;
        (left.number() == 0).then_some(())
    })
    .await;
    let ledger = yard.ledger();
    assert_eq!(ledger.len(), 1000);
    assert_eq!(ledger.iter().collect::<HashSet<_>>().len(), 1000);
    let results = redis.command(&["EVAL", "return #redis.call('KEYS', 'arq:result:*')", "0"]);
    assert_eq!(results.await.number(), 1000);
    let left = redis.command(&["KEYS", "arq:[jri][oen][bt-]*"]).await;
    assert_eq!(left, Reply::List(Vec::new()));
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn tasks_of_a_service_run_on_two_workers() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let hive = |name: &str| {
        format!("[processors.{name}]\nkind = \"hive\"\nfunction = \"{name}\"\nmax_attempts = 1\n")
    };
    let service = Setup::new()
        .setting("enable_hive", true)
        .setting("redis_host", "\"127.0.0.1\"")
        .setting("redis_port", redis.port())
        .table(&hive("upper"))
        .table(&hive("fail"))
        .table(&hive("slow"))
        .start()
        .await;
    let _a = yard.worker(&redis, "a").await;
    let _b = yard.worker(&redis, "b").await;
    let mut ids = Vec::new();
    for number in 0..50 {
        ids.push(service.submit_to("upper", &format!("t{number}")).await);
    }
    for (number, id) in ids.iter().enumerate() {
        let task = service.finished(id).await;
        assert_eq!(task["result"], format!("T{number}"), "{task}");
    }
    assert_eq!(yard.ledger().iter().collect::<HashSet<_>>().len(), 50);
    assert_eq!(yard.ledger().len(), 50);
    for (function, failure) in [("fail", "error"), ("slow", "timeout")] {
        let id = service.submit_to(function, "text").await;
        let task = service.finished(&id).await;
        assert_eq!(task["failure"], failure, "{task}");
    }
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_service_that_comes_back_leaves_alone_what_a_worker_beside_it_runs() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "w").await;
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    let id = service.submit_to("gate", "long").await;
    yard.until_noted("run long 1").await;
    let service = service.kill9().await.start().await;
    yard.open_gate("long");
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "let through", "{task}");
    assert_eq!(yard.ledger(), ["run long 1", "done long 1"]);
    service.ends_well().await;
}
