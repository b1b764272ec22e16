//! A Redis that answers and takes no writes; and how far a task's job has come, as `explain` tells it.

use serde_json::{Value, json};

use support::hive::{BACKGROUND, HIGH, calls, hive, until_queued};
use support::{Arq, Redis, Service, Yard, eventually, put, result_text};

async fn until_hive_is(service: &Service, state: &str) {
    eventually(&format!("the Hive is {state}"), || async {
        let status = service.queue_status().await;
        (status["hive"]["state"] == state).then_some(())
    })
    .await;
}

async fn explained(service: &Service, id: &str) -> Value {
    let path = format!("/api/v1/tasks/{id}/explain");
    service.get(&path).await.expect(200)
}

fn message(explained: &Value) -> &str {
    explained["message"].as_str().expect("a sentence")
}

/// Everything that tells how Redis is, tells this.
async fn said_everywhere(service: &Service, words: &str) {
    for path in ["/api/v1/hive/status", "/readyz", "/api/v1/queue/status"] {
        let answer = service.get(path).await.expect(200);
        let hive = if path.ends_with("hive/status") {
            &answer
        } else {
            &answer["hive"]
        };
        assert_eq!(hive["state"], "refusing", "{path}: {answer}");
        let reason = hive["reason"].as_str().expect("a reason");
        assert!(reason.contains(words), "{path}: {reason}");
        assert!(hive["since"].is_string(), "{path}: {answer}");
    }
    let report = service.get("/api/v1/doctor").await.expect(200);
    let checks = report["checks"].as_array().expect("a list");
    let check = checks.iter().find(|check| check["name"] == "redis");
    let check = check.unwrap_or_else(|| panic!("{report}"));
    assert_eq!(check["state"], "warn", "{check}");
    assert!(
        check["message"]
            .as_str()
            .is_some_and(|it| it.contains(words)),
        "{check}"
    );
    let metrics = service.get("/metrics").await.text().to_owned();
    for line in ["venom_hive_connected 1", "venom_hive_usable 0"] {
        assert!(metrics.lines().any(|it| it == line), "{line}: {metrics}");
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_redis_that_takes_no_writes_is_told_everywhere_and_its_tasks_wait() {
    let refusals: [(&[&str], &[&str], &str); 2] = [
        (
            &["CONFIG", "SET", "maxmemory", "1"],
            &["CONFIG", "SET", "maxmemory", "0"],
            "out of memory",
        ),
        (
            &["REPLICAOF", "127.0.0.1", "1"],
            &["REPLICAOF", "NO", "ONE"],
            "read-only replica",
        ),
    ];
    for (refuse, take, words) in refusals {
        let redis = Redis::start().await;
        let yard = Yard::new();
        let worker = yard.worker(&redis, "a").await;
        let service = hive(&redis).table(&calls("upper", "")).start().await;
        until_hive_is(&service, "connected").await;
        redis.command(refuse).await;
        until_hive_is(&service, "refusing").await;
        worker.until_said(words).await;
        said_everywhere(&service, words).await;
        let id = service.submit_to("upper", "text").await;
        let why = explained(&service, &id).await;
        assert_eq!(why["status"], "PENDING", "{why}");
        assert_eq!(why["reasons"][0]["type"], "hive_away", "{why}");
        assert_eq!(why["reasons"][0]["state"], "refusing", "{why}");
        assert!(message(&why).contains(words), "{why}");
        redis.command(take).await;
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["result"], &task["attempt"]),
            (&json!("TEXT"), &json!(1)),
            "{task}"
        );
        until_hive_is(&service, "connected").await;
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn explain_tells_a_job_that_nobody_has_taken_from_one_that_runs() {
    let redis = Redis::start().await;
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    let id = service.submit_to("gate", "gate").await;
    until_queued(&redis, BACKGROUND, 1).await;
    let waits = eventually("it is in Redis", || async {
        let why = explained(&service, &id).await;
        (why["reasons"][0]["job"] == "queued").then_some(why)
    })
    .await;
    assert_eq!(waits["status"], "PROCESSING", "{waits}");
    let reason = &waits["reasons"][0];
    assert_eq!(
        [&reason["type"], &reason["job_id"], &reason["queue"]],
        [
            &json!("hive_job"),
            &json!(format!("{id}:1")),
            &json!(BACKGROUND)
        ],
        "{waits}"
    );
    assert!(message(&waits).contains("no worker"), "{waits}");
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    arq.until_noted(&format!("run {id}"), 1).await;
    let runs = eventually("a worker has it", || async {
        let why = explained(&service, &id).await;
        message(&why)
            .starts_with("A worker has it since ")
            .then_some(why)
    })
    .await;
    assert_eq!(runs["reasons"], json!([]), "{runs}");
    arq.open_gate("gate");
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    service.ends_well().await;
}

/// The task was claimed just before.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn explain_says_of_a_task_that_is_being_sent_why_redis_does_not_take_it() {
    let redis = Redis::start().await;
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    until_hive_is(&service, "connected").await;
    redis.refuse_writes().await;
    let id = service.submit_to("gate", "gate").await;
    let why = eventually("the reason is known", || async {
        let why = explained(&service, &id).await;
        message(&why).contains("out of memory").then_some(why)
    })
    .await;
    // Which it is depends on who has noticed first.
    match why["status"].as_str() {
        Some("PROCESSING") => {
            assert!(message(&why).contains("not in Redis"), "{why}");
            assert_eq!(why["reasons"][1]["type"], "hive_away", "{why}");
        }
        _ => assert_eq!(why["reasons"][0]["type"], "hive_away", "{why}"),
    }
    service.ends_well().await;
}

/// Also what it writes in the end waits until Redis has room.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_result_is_stored_when_redis_takes_writes_again() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    redis.refuse_writes().await;
    yard.open_gate("gate");
    worker.until_said("out of memory").await;
    redis.take_writes().await;
    let end = result_text(&redis, "job").await;
    assert!(end.contains("let through"), "{end}");
    assert_eq!(yard.ledger(), ["run gate 1", "done gate 1"]);
}
