//! The parts that tests of the Hive stand on, by themselves: a real Redis, and real ARQ on both ends.

use futures_util::future::join;
use serde_json::json;

use support::{Arq, Redis, Reply};

const QUEUE: &str = "venom:tasks:high";

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn what_redis_was_told_outlives_its_kill() {
    let mut redis = Redis::start().await;
    assert_eq!(redis.command(&["SET", "key", "kept"]).await.text(), "OK");
    assert_eq!(
        redis.command(&["RPUSH", "list", "a", "b"]).await.number(),
        2
    );
    let port = redis.port();
    redis.kill9().await;
    redis.start_again().await;
    assert_eq!(redis.port(), port);
    assert_eq!(redis.command(&["GET", "key"]).await.text(), "kept");
    let list = redis.command(&["LRANGE", "list", "0", "-1"]).await;
    assert_eq!(list.texts(), ["a", "b"]);
    assert_eq!(redis.command(&["GET", "other"]).await, Reply::Null);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_password_is_asked_for() {
    let arq = Arq::newest(QUEUE);
    let with_password = Redis::with_password("secret").await;
    let with_user = Redis::with_user("venom", "secret").await;
    for redis in [&with_password, &with_user] {
        arq.enqueue(redis, "a", "ok", "text").await;
        let queued = redis.command(&["ZRANGE", QUEUE, "0", "-1"]).await;
        assert_eq!(queued.texts(), ["a"]);
        let refused = redis.ask_without_login(&["PING"]).await;
        assert_eq!(refused, Err("NOAUTH Authentication required.".into()));
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn each_function_ends_as_it_says() {
    for arq in Arq::both(QUEUE) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        for (function, end) in [
            ("ok", json!({ "result": "TEXT" })),
            (
                "structured",
                json!({ "result": { "text": "text", "list": [1, 2.5, null, true] } }),
            ),
            ("fail", json!({ "error": "ValueError: bad" })),
            ("fail_once", json!({ "error": "ValueError: bad" })),
            ("retry_once", json!({ "result": "try 2" })),
            ("too_slow", json!({ "error": "TimeoutError: " })),
            (
                "nowhere",
                json!({ "error": "JobExecutionFailed: function 'nowhere' not found" }),
            ),
        ] {
            arq.enqueue(&redis, function, function, "text").await;
            let found = arq.client(&redis, &["result", function]).await;
            assert_eq!(found, end, "{function} in {}", arq.environment());
        }
        arq.enqueue(&redis, "lock", "unserialisable", "").await;
        let found = arq.client(&redis, &["result", "lock"]).await;
        assert_eq!(
            found,
            json!({ "error": "SerializationError: unable to serialize result" })
        );
        assert_eq!(arq.noted("run retry_once"), 2);
        assert_eq!(arq.noted("run ok ok 1"), 1, "{:?}", arq.ledger());
        assert_eq!(arq.client(&redis, &["status", "ok"]).await, "complete");
        arq.enqueue(&redis, "again", "fail_once", "text").await;
        let found = arq.client(&redis, &["result", "again"]).await;
        assert_eq!(found, json!({ "result": "better" }));
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn both_ends_speak_the_same_codec() {
    let redis = Redis::start().await;
    for codec in ["json", "msgpack"] {
        let arq = Arq::newest(codec).codec(codec);
        let _worker = arq.worker(&redis).await;
        arq.enqueue(&redis, codec, "ok", "text").await;
        let found = arq.client(&redis, &["result", codec]).await;
        assert_eq!(found, json!({ "result": "TEXT" }), "{codec}");
        let stored = redis
            .command(&["GET", &format!("arq:result:{codec}")])
            .await;
        // A map with 11 entries, which pickle would begin in another way.
        let start: &[u8] = if codec == "json" {
            b"{\"t\": 1"
        } else {
            b"\x8b\xa1t\x01"
        };
        assert!(
            matches!(&stored, Reply::Bytes(bytes) if bytes.starts_with(start)),
            "{stored:?}"
        );
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_reaches_what_runs_unless_it_is_stubborn() {
    for arq in Arq::both(QUEUE) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        arq.enqueue(&redis, "a", "gate", "open a").await;
        arq.enqueue(&redis, "b", "stubborn", "open b").await;
        arq.until_noted("run", 2).await;
        assert_eq!(arq.client(&redis, &["status", "a"]).await, "in_progress");
        assert_eq!(arq.client(&redis, &["abort", "a"]).await, true);
        let let_through = async {
            arq.until_noted("cancelled b", 1).await;
            arq.open_gate("open b");
        };
        let (aborted, ()) = join(arq.client(&redis, &["abort", "b"]), let_through).await;
        assert_eq!(aborted, false);
        assert_eq!(arq.noted("cancelled a a 1"), 1);
        assert_eq!(arq.noted("done a"), 0);
        assert_eq!(arq.noted("done b"), 1);
    }
}

/// A job is in Redis before any worker is; Redis is killed; a worker is killed; another one finishes.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_outlives_redis_and_its_worker() {
    for arq in Arq::both(QUEUE) {
        let mut redis = Redis::start().await;
        arq.enqueue(&redis, "a", "gate", "open").await;
        redis.kill9().await;
        redis.start_again().await;
        let killed = arq.worker(&redis).await;
        arq.until_noted("run a a 1", 1).await;
        killed.kill9().await;
        // ARQ waits 310 seconds until it takes a dead worker's job.
        let claim = redis.command(&["DEL", "arq:in-progress:a"]).await;
        assert_eq!(claim.number(), 1);
        let stopped = arq.worker(&redis).await;
        arq.until_noted("run a a 2", 1).await;
        stopped.stop().await;
        assert_eq!(arq.noted("cancelled a a 2"), 1);
        let _last = arq.worker(&redis).await;
        arq.until_noted("run a a 3", 1).await;
        arq.open_gate("open");
        let found = arq.client(&redis, &["result", "a"]).await;
        assert_eq!(found, json!({ "result": "let through" }));
    }
}

/// `arq worker.WorkerSettings` in `examples/hive`, on the queue that it is told.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_example_runs_on_both_versions_and_queues() {
    for queue in ["venom:tasks:high", "venom:tasks:background"] {
        for arq in Arq::both(queue) {
            let redis = Redis::start().await;
            let worker = arq.worker_of("examples/hive", "worker.WorkerSettings", &redis);
            let _worker = worker.await;
            arq.enqueue(&redis, "a", "summarise", "One. Two.").await;
            let found = arq.client(&redis, &["result", "a"]).await;
            assert_eq!(found, json!({ "result": "One." }));
        }
    }
}
