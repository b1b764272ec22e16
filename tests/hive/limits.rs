//! `concurrency` and `rate` of a processor in `venom hive worker`, on a real Redis: jobs wait for a slot
//! inside the worker, in order, and others pass them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use support::{Arq, HiveWorker, Redis, Reply, Yard, eventually, put, result_text};

const HIGH: &str = "venom:tasks:high";

async fn until_claimed(redis: &Redis, id: &str) {
    let key = format!("arq:in-progress:{id}");
    eventually(&format!("{id} is claimed"), || async {
        let found = redis.command(&["EXISTS", &key]).await;
        (found.number() == 1).then_some(())
    })
    .await;
}

async fn until_let_go(redis: &Redis, id: &str) {
    let key = format!("arq:in-progress:{id}");
    eventually(&format!("{id} is given back"), || async {
        let found = redis.command(&["EXISTS", &key]).await;
        (found.number() == 0).then_some(())
    })
    .await;
}

/// Puts jobs of the processor `one` into the queue, each once the one before it is claimed.
async fn put_in_order(redis: &Redis, ids: &[&str]) {
    for id in ids {
        put(redis, HIGH, id, "one", id, "5").await;
        until_claimed(redis, id).await;
    }
}

/// A worker whose processor `one` runs the job `x` and lets `y` and `z` wait.
async fn worker_with_a_line(yard: &Yard, redis: &Redis) -> HiveWorker {
    let one = yard.gate_table("one", "concurrency = 1");
    let flags = ["--max-jobs", "4"];
    let worker = yard.worker_with(redis, "a", &flags, &one).await;
    put_in_order(redis, &["x", "y", "z"]).await;
    worker
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn jobs_wait_in_order_for_a_slot_of_their_processor_and_others_pass_them() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = worker_with_a_line(&yard, &redis).await;
    yard.until_noted("run x 1").await;
    put(&redis, HIGH, "other", "upper", "other", "5").await;
    result_text(&redis, "other").await;
    for gate in ["y", "z", "x"] {
        yard.open_gate(gate);
    }
    for id in ["x", "y", "z"] {
        result_text(&redis, id).await;
    }
    let order = ["run x 1", "run other 1", "done x 1", "run y 1", "done y 1"];
    assert_eq!(yard.ledger()[..5], order);
    assert_eq!(yard.ledger()[5..], ["run z 1", "done z 1"]);
}

/// With room for two, only one job may wait; what comes then is deferred, so the other room is not blocked.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_slow_processor_does_not_take_all_slots_with_jobs_that_wait() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let rare = "[processors.rare]\nkind = \"echo\"\nrate = \"1/h\"\n";
    let worker = yard
        .worker_with(&redis, "a", &["--max-jobs", "2"], rare)
        .await;
    put(&redis, HIGH, "first", "rare", "text", "5").await;
    result_text(&redis, "first").await;
    put(&redis, HIGH, "waits", "rare", "text", "5").await;
    until_claimed(&redis, "waits").await;
    let script = "for i = 1, 30 do redis.call('COPY', 'arq:job:waits', 'arq:job:r' .. i) \
                  redis.call('ZADD', KEYS[1], 5, 'r' .. i) end";
    redis.command(&["EVAL", script, "1", HIGH]).await;
    put(&redis, HIGH, "other", "upper", "other", "6").await;
    result_text(&redis, "other").await;
    let deferred = redis.command(&["ZCOUNT", HIGH, "7", "+inf"]).await;
    assert_eq!(deferred.number(), 30);
    assert_eq!(redis.command(&["ZSCORE", HIGH, "waits"]).await.text(), "5");
    assert_eq!(worker.stop().await.code(), Some(0));
    for id in ["waits", "r1", "r30"] {
        let key = format!("arq:retry:{id}");
        assert_eq!(redis.command(&["GET", &key]).await.text(), "0", "{id}");
    }
    let left = redis.command(&["KEYS", "arq:in-progress:*"]).await;
    assert_eq!(left, Reply::List(Vec::new()));
}

async fn script_calls(redis: &Redis) -> f64 {
    let info = redis.command(&["INFO", "commandstats"]).await;
    let (_, calls) = info
        .text()
        .split_once("cmdstat_evalsha:calls=")
        .expect("a call");
    calls
        .split_once(',')
        .and_then(|(calls, _)| calls.parse().ok())
        .expect("a number")
}

/// Each of them costs two calls of scripts, and a hundred are passed over in a second; the job behind them has its
/// turn all the same.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_backlog_of_a_busy_processor_is_passed_over_in_measure() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = worker_with_a_line(&yard, &redis).await;
    let began = Instant::now();
    let calls_before = script_calls(&redis).await;
    let script = "for i = 1, 300 do redis.call('COPY', 'arq:job:z', 'arq:job:r' .. i) \
                  redis.call('ZADD', KEYS[1], 5, 'r' .. i) end";
    put(&redis, HIGH, "other", "upper", "other", "0").await;
    redis.command(&["EVAL", script, "1", HIGH]).await;
    redis.command(&["ZADD", HIGH, "6", "other"]).await;
    result_text(&redis, "other").await;
    let calls = script_calls(&redis).await - calls_before;
    let seconds = began.elapsed().as_secs_f64();
    assert!(
        calls <= 250.0 * seconds + 100.0,
        "{calls} in {seconds:.1} s"
    );
}

/// The last job waits for longer than its timeout, which begins only then.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn jobs_start_at_the_rate_of_their_processor_and_waiting_takes_none_of_their_time() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let rated = "[processors.rated]\nkind = \"echo\"\nrate = \"1/s\"\ntimeout = 1.5\n";
    let _worker = yard.worker_with(&redis, "a", &[], rated).await;
    let began = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("a time");
    let ids = ["a", "b", "c", "d"];
    for id in ids {
        put(&redis, HIGH, id, "rated", "text", "5").await;
    }
    let mut last_start = 0;
    for id in ids {
        let text = result_text(&redis, id).await;
        let result: Value = serde_json::from_str(&text).expect("JSON");
        assert_eq!(result["r"], "Processed: text", "{result}");
        assert_eq!(result["t"], 1, "{result}");
        last_start = result["st"].as_i64().expect("a time").max(last_start);
    }
    assert!(last_start - began.as_millis() as i64 >= 3000);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_a_lost_claim_and_a_stop_end_the_waiting() {
    for arq in Arq::both(HIGH) {
        let redis = Redis::start().await;
        let yard = Yard::new().shutdown_grace(600);
        let one = yard.gate_table("one", "concurrency = 1");
        let worker = yard.worker_with(&redis, "a", &[], &one).await;
        put_in_order(&redis, &["runs", "aborted", "lost", "stopped"]).await;
        yard.until_noted("run runs 1").await;

        // The client reads a result in pickle only.
        let json = arq.codec("json");
        let aborted = json.client(&redis, &["status", "aborted"]).await;
        assert_eq!(aborted, "in_progress");
        redis.command(&["ZADD", "arq:abort", "5", "aborted"]).await;
        let end = result_text(&redis, "aborted").await;
        assert!(end.contains("CancelledError"), "{end}");

        redis.command(&["SET", "arq:in-progress:lost", "1"]).await;
        worker
            .until_said("another worker has claimed the job")
            .await;

        worker.tell_to_stop();
        until_let_go(&redis, "stopped").await;
        let starts = redis.command(&["GET", "arq:retry:stopped"]).await;
        assert_eq!(starts.text(), "0");
        let status = json.client(&redis, &["status", "stopped"]).await;
        assert_eq!(status, "queued");
        yard.open_gate("runs");
        assert_eq!(worker.ended().await.code(), Some(0));
        result_text(&redis, "runs").await;
        assert_eq!(yard.ledger(), ["run runs 1", "done runs 1"]);
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_worker_names_the_settings_that_it_ignores() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let tables = "[processors.tries]\nkind = \"echo\"\nmax_attempts = 3\nbackoff = { first = 2 }\n\
                  timeout = 5\nconcurrency = 2\nrate = \"9/s\"\n\
                  [processors.away]\nkind = \"worker\"\n[concurrency_keys.a]\nconcurrency = 1\n";
    let worker = yard.worker_with(&redis, "a", &[], tables).await;
    for words in [
        "processors.tries.max_attempts is ignored by a worker",
        "processors.tries.backoff is ignored by a worker",
        "processors.away does not run in a worker",
        "concurrency_keys are ignored by a worker",
    ] {
        worker.until_said(words).await;
    }
    let log = worker.log();
    assert_eq!(log.matches("by a worker").count(), 3, "{log}");
}
