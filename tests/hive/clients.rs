//! What a Python client can ask ARQ about its jobs, in each state of a job, with `venom hive worker` running them:
//! the answers are those that ARQ's own worker would lead to.

use serde_json::{Value, json};

use support::{Arq, Redis, Reply, Yard, eventually};

const QUEUE: &str = "venom:tasks:background";

struct Stage {
    arq: Arq,
    redis: Redis,
    yard: Yard,
}

impl Stage {
    async fn both() -> Vec<Self> {
        let mut stages = Vec::new();
        for arq in Arq::both(QUEUE) {
            let redis = Redis::start().await;
            let yard = Yard::new();
            stages.push(Self { arq, redis, yard });
        }
        stages
    }

    async fn ask(&self, verb: &str, id: &str) -> Value {
        self.arq.client(&self.redis, &[verb, id]).await
    }

    async fn send(&self, id: &str, function: &str, arguments: Value, options: Value) -> Value {
        let mut call = vec![json!(function)];
        call.extend(arguments.as_array().expect("a list").iter().cloned());
        let words = json!([call, options]).to_string();
        self.arq.client(&self.redis, &["send", id, &words]).await
    }

    /// Sends a job that cannot be a duplicate.
    async fn sent(&self, id: &str, function: &str, options: Value) {
        let sent = self.send(id, function, json!([id, id]), options).await;
        assert_eq!(sent, true, "{id}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_client_follows_a_job_through_its_states() {
    for stage in Stage::both().await {
        assert_eq!(stage.ask("status", "späß").await, "not_found");
        assert_eq!(stage.ask("info", "späß").await, Value::Null);
        // Ids are any text.
        let later = json!({ "_defer_by": 3600, "_expires": 86400 });
        stage.sent("späß", "gate", later).await;
        let _worker = stage.yard.worker(&stage.redis, "w").await;
        assert_eq!(stage.ask("status", "späß").await, "deferred");
        let timeout = json!({ "error": "TimeoutError: " });
        assert_eq!(stage.ask("result_now", "späß").await, timeout);
        let deferred = stage.ask("queued", "-").await;
        assert_eq!(deferred[0]["job_id"], "späß", "{deferred}");

        stage.redis.command(&["ZADD", QUEUE, "5", "späß"]).await;
        stage.yard.until_noted("run späß 1").await;
        assert_eq!(stage.ask("status", "späß").await, "in_progress");
        assert_eq!(stage.ask("result_now", "späß").await, timeout);
        let info = stage.ask("info", "späß").await;
        assert_eq!(
            (&info["score"], &info["job_try"]),
            (&json!(5), &Value::Null)
        );
        assert_eq!(
            stage.ask("queued", "-").await[0]["args"],
            json!(["späß", "späß"])
        );
        let again = stage
            .send("späß", "upper", json!(["x", "y"]), json!({}))
            .await;
        assert_eq!(again, false);

        stage.yard.open_gate("späß");
        let end = json!({ "result": "let through" });
        assert_eq!(stage.ask("result", "späß").await, end);
        assert_eq!(stage.ask("status", "späß").await, "complete");
        assert_eq!(stage.ask("queued", "-").await, json!([]));
        let again = stage
            .send("späß", "upper", json!(["x", "y"]), json!({}))
            .await;
        assert_eq!(again, false);
        // All that is known in the end, and that it is known in each way.
        let info = stage.ask("info", "späß").await;
        assert_eq!(stage.ask("results", "-").await, json!([info]));
        let [sent, began, ended] =
            ["enqueue_time", "start_time", "finish_time"].map(|time| info[time].as_i64());
        assert!(sent.is_some() && sent <= began && began <= ended, "{info}");
        let rest = json!({
            "function": "gate", "args": ["späß", "späß"], "kwargs": {}, "job_try": 1,
            "score": null, "job_id": "späß", "success": true, "result": "let through",
            "queue_name": QUEUE,
            "enqueue_time": sent, "start_time": began, "finish_time": ended,
        });
        assert_eq!(info, rest);
        let kept = stage.redis.command(&["PTTL", "arq:result:späß"]).await;
        assert!((3_000_000..=3_600_000).contains(&kept.number()), "{kept:?}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_begins_with_the_try_that_its_client_names() {
    for stage in Stage::both().await {
        let _worker = stage.yard.worker(&stage.redis, "w").await;
        for (job_try, end) in [
            (3, json!({ "result": "TRY 3" })),
            (
                6,
                json!({ "error": "JobExecutionFailed: max 5 retries exceeded" }),
            ),
        ] {
            let id = format!("try {job_try}");
            stage
                .sent(&id, "upper", json!({ "_job_try": job_try }))
                .await;
            assert_eq!(stage.ask("result", &id).await, end);
            assert_eq!(stage.ask("info", &id).await["job_try"], job_try);
        }
        assert_eq!(stage.yard.ledger(), ["run try 3 3"]);
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn jobs_that_cannot_be_run_fail_with_a_reason_that_python_can_raise() {
    for stage in Stage::both().await {
        let refused = [
            (
                "keyword",
                json!(["a", "b"]),
                json!({ "more": 1 }),
                "JobExecutionFailed: upper() got an unexpected keyword argument 'more'",
            ),
            (
                "none",
                json!([]),
                json!({}),
                "JobExecutionFailed: upper() takes a task id and a payload, got 0 arguments",
            ),
            // Its body is gone before it is due.
            (
                "short",
                json!(["a", "b"]),
                json!({ "_defer_by": 0.2, "_expires": 0.1 }),
                "JobExecutionFailed: job expired",
            ),
        ];
        for (id, arguments, options, _) in &refused {
            let sent = stage
                .send(id, "upper", arguments.clone(), options.clone())
                .await;
            assert_eq!(sent, true);
        }
        let key = "arq:job:short";
        eventually("its body is gone", || async {
            (stage.redis.command(&["EXISTS", key]).await.number() == 0).then_some(())
        })
        .await;
        let broken = [
            ("no pickle", "\u{80}\u{4}"),
            ("no job", "{}"),
            ("nothing", "xyz"),
        ];
        for (id, body) in broken {
            stage
                .redis
                .command(&["SET", &format!("arq:job:{id}"), body])
                .await;
            stage.redis.command(&["ZADD", QUEUE, "5", id]).await;
        }
        let _worker = stage.yard.worker(&stage.redis, "w").await;
        for (id, _, _, why) in refused {
            assert_eq!(stage.ask("result", id).await, json!({ "error": why }));
        }
        for (id, _) in broken {
            // The codec of a result is that of its body as far as it is known.
            if id == "no job" {
                let arq = Arq::newest(QUEUE).codec("json");
                let info = arq.client(&stage.redis, &["info", id]).await;
                assert_eq!(info["success"], false, "{info}");
                continue;
            }
            let end = stage.ask("result", id).await;
            let error = end["error"].as_str().unwrap_or_default();
            assert!(
                error.starts_with("DeserializationError: unable to deserialize job"),
                "{end}"
            );
            assert_eq!(stage.ask("info", id).await["function"], "<unknown>");
        }
        assert_eq!(stage.yard.ledger(), Vec::<String>::new());
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_ends_what_is_there_and_nothing_that_comes_later() {
    for stage in Stage::both().await {
        // Deferred: its client makes it due at once, and gives up waiting before there is a worker.
        stage
            .sent(
                "later",
                "upper",
                json!({ "_defer_by": 3600, "_expires": 86400 }),
            )
            .await;
        let timeout = json!({ "error": "TimeoutError: " });
        assert_eq!(stage.ask("abort_now", "later").await, timeout);
        // Unknown, and ended.
        assert_eq!(stage.ask("abort", "nowhere").await, false);
        let _worker = stage.yard.worker(&stage.redis, "w").await;
        let cancelled = json!({ "error": "CancelledError: " });
        assert_eq!(stage.ask("result", "later").await, cancelled);
        assert_eq!(stage.ask("abort", "later").await, true);
        stage.sent("ended", "upper", json!({})).await;
        stage.ask("result", "ended").await;
        assert_eq!(stage.ask("abort", "ended").await, false);

        // What ARQ leaves of such aborts for ever does not end a job that comes a while later.
        for id in ["nowhere", "ended"] {
            assert_ne!(
                stage.redis.command(&["ZSCORE", "arq:abort", id]).await,
                Reply::Null
            );
            stage
                .redis
                .command(&["ZINCRBY", "arq:abort", "-120000", id])
                .await;
            stage
                .redis
                .command(&["DEL", &format!("arq:result:{id}")])
                .await;
            stage.sent(id, "upper", json!({})).await;
            let end = json!({ "result": id.to_uppercase() });
            assert_eq!(stage.ask("result", id).await, end);
        }
        let left = stage
            .redis
            .command(&["ZRANGE", "arq:abort", "0", "-1"])
            .await;
        assert_eq!(left.texts(), ["later"]);
        assert_eq!(
            stage.yard.ledger(),
            ["run ended 1", "run nowhere 1", "run ended 1"]
        );
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_check_of_arq_finds_a_worker_and_misses_one_that_has_left() {
    for stage in Stage::both().await {
        assert_eq!(stage.arq.check(&stage.redis).await, Some(1));
        let worker = stage.yard.worker(&stage.redis, "w").await;
        for (function, id) in [("upper", "a"), ("fail", "b"), ("gate", "runs")] {
            stage.sent(id, function, json!({})).await;
        }
        stage.yard.until_noted("run runs 1").await;
        let line = "j_complete=1 j_failed=1 j_retried=0 j_ongoing=1 queued=1";
        let key = format!("{QUEUE}:health-check");
        eventually("its health says so", || async {
            match stage.redis.command(&["GET", &key]).await {
                Reply::Bytes(text) => String::from_utf8_lossy(&text).ends_with(line).then_some(()),
                _ => None,
            }
        })
        .await;
        assert_eq!(stage.arq.check(&stage.redis).await, Some(0));
        worker.stop().await;
        assert_eq!(stage.arq.check(&stage.redis).await, Some(1));
    }
}
