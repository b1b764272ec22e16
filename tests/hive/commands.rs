//! Orders to the whole Hive, as workers and late comers obey them.

use serde_json::{Value, json};

use support::hive::{BACKGROUND, calls, hive, until_queued};
use support::{Arq, Redis, Service, Setup, Yard, eventually};

const BROADCAST: &str = "/api/v1/hive/broadcast";
const CHANNEL: &str = "venom:broadcast";
/// Where an order stands.
const ORDER: &str = "venom:hive:order:venom:broadcast";

/// A service of the Hive with processors `gate` and `upper` whose jobs workers run.
async fn service(redis: &Redis) -> Service {
    let setup = hive(redis)
        .table(&calls("gate", ""))
        .table(&calls("upper", ""));
    let service = setup.start().await;
    until_node(&service, "kind", &json!("service")).await;
    service
}

async fn order(service: &Service, command: &str, data: Value) {
    let order = json!({ "command": command, "data": data });
    service.post_json(BROADCAST, &order).await.expect(200);
}

/// Waits for a node of which this is true. Each look has all nodes report at once.
async fn until_node(service: &Service, field: &str, value: &Value) -> Value {
    eventually("a node says so", || async {
        let status = json!({ "command": "status" });
        // 503 until it has found Redis.
        service.post_json(BROADCAST, &status).await;
        let nodes = service.get("/api/v1/hive/nodes").await;
        let nodes = (nodes.status == 200).then(|| nodes.json())?;
        let mut nodes = nodes.as_array()?.iter();
        nodes.find(|node| &node[field] == value).cloned()
    })
    .await
}

async fn until_paused(service: &Service, paused: bool) {
    eventually("the order is obeyed", || async {
        (service.queue_status().await["paused"] == paused).then_some(())
    })
    .await;
}

/// Waits until this is true of the worker of this name.
async fn until_worker(service: &Service, name: &str, field: &str, value: &Value) -> Value {
    eventually("the worker says so", || async {
        let worker = until_node(service, "name", &json!(name)).await;
        (&worker[field] == value).then_some(worker)
    })
    .await
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_worker_is_a_node_that_starts_nothing_while_the_hive_is_paused() {
    let redis = Redis::start().await;
    let service = service(&redis).await;
    let yard = Yard::new();
    let worker = yard
        .worker_with(&redis, "w", &["--max-jobs", "3"], "")
        .await;
    let running = service.submit_to("gate", "runs").await;
    yard.until_noted("run runs 1").await;
    let node = until_worker(&service, "w", "running", &json!(1)).await;
    assert_eq!(
        (&node["kind"], &node["max"], &node["silent"]),
        (&json!("worker"), &json!(3), &json!(false))
    );
    order(&service, "pause", json!({})).await;
    until_worker(&service, "w", "paused", &json!(true)).await;
    // The service alone sends again.
    service.resume().await;
    let waiting = service.submit_to("upper", "waits").await;
    until_queued(&redis, BACKGROUND, 2).await;
    yard.open_gate("runs");
    assert_eq!(service.finished(&running).await["status"], "COMPLETED");
    // It has looked for jobs since, and taken none.
    until_worker(&service, "w", "running", &json!(0)).await;
    assert_eq!(yard.ledger(), ["run runs 1", "done runs 1"]);
    order(&service, "resume", json!({})).await;
    assert_eq!(service.finished(&waiting).await["result"], "WAITS");
    assert!(worker.stop().await.success());
    let gone = eventually("the worker has left", || async {
        let nodes = service.get("/api/v1/hive/nodes").await.expect(200);
        (nodes.as_array()?.len() == 1).then_some(nodes)
    });
    assert_eq!(gone.await[0]["kind"], "service");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_worker_puts_off_the_jobs_of_a_paused_processor_and_of_no_other() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "w").await;
    let sender = hive(&redis)
        .table(&calls("shout", "").replace("function = \"shout\"", "function = \"upper\""))
        .table(&calls("gate", ""));
    let service = sender.start().await;
    until_node(&service, "name", &json!("w")).await;
    order(&service, "pause", json!({ "processor": "upper" })).await;
    // It is obeyed after the one before.
    order(&service, "status", json!({})).await;
    until_node(&service, "name", &json!("w")).await;
    let put_off = service.submit_to("shout", "waits").await;
    yard.open_gate("runs");
    let runs = service.submit_to("gate", "runs").await;
    assert_eq!(service.finished(&runs).await["status"], "COMPLETED");
    eventually("the job was put off", || async {
        let logs = service.task(&put_off).await["logs"].to_string();
        logs.contains("Returned to its queue").then_some(())
    })
    .await;
    assert_eq!(yard.ledger(), ["run runs 1", "done runs 1"]);
    order(&service, "resume", json!({ "processor": "upper" })).await;
    assert_eq!(service.finished(&put_off).await["result"], "WAITS");
    assert!(worker.stop().await.success());
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_emergency_stop_ends_what_workers_run_and_holds_until_it_is_resumed() {
    let redis = Redis::start().await;
    let service = service(&redis).await;
    let yard = Yard::new();
    let _a = yard.worker(&redis, "a").await;
    let _b = yard
        .worker_with(&redis, "b", &["--max-jobs", "1"], "")
        .await;
    // A job that no service waits for.
    let arq = Arq::newest(BACKGROUND);
    arq.enqueue(&redis, "foreign", "gate", "foreign").await;
    yard.until_noted("run foreign 1").await;
    let ids = [
        service.submit_to("gate", "one").await,
        service.submit_to("gate", "two").await,
    ];
    for line in ["run one 1", "run two 1"] {
        yard.until_noted(line).await;
    }
    order(&service, "emergency_stop", json!({})).await;
    for id in &ids {
        let task = service.finished(id).await;
        assert_eq!(task["failure"], "emergency_stop", "{task}");
    }
    let ended = arq.client(&redis, &["result", "foreign"]).await;
    assert_eq!(ended, json!({ "error": "CancelledError: " }));
    // A pause that has an end does not end it.
    let soon = json!({ "until": "2999-01-01T00:00:00Z" });
    order(&service, "pause", soon).await;
    arq.enqueue(&redis, "later", "upper", "later").await;
    // One that comes later starts nothing either.
    let _c = yard.worker(&redis, "c").await;
    for name in ["a", "b", "c"] {
        until_worker(&service, name, "paused", &json!(true)).await;
    }
    // One that is over at once ends none of them, nor is it what later ones find.
    let over = chrono::Utc::now() + chrono::Duration::milliseconds(300);
    order(&service, "pause", json!({ "until": over.to_rfc3339() })).await;
    let _d = yard.worker(&redis, "d").await;
    eventually("the pause is over", || async {
        (chrono::Utc::now() > over).then_some(())
    })
    .await;
    for name in ["a", "c", "d"] {
        until_worker(&service, name, "paused", &json!(true)).await;
    }
    assert_eq!(yard.ledger().len(), 3, "{:?}", yard.ledger());
    order(&service, "resume", json!({})).await;
    let ended = arq.client(&redis, &["result", "later"]).await;
    assert_eq!(ended, json!({ "result": "LATER" }));
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_order_that_was_missed_is_obeyed_later_and_once() {
    let redis = Redis::start().await;
    let first = service(&redis).await;
    let missing = service(&redis).await;
    let waiting = missing
        .submit_json(&json!({ "content": "x", "delay": 3600 }))
        .await;
    let missing = missing.kill9().await;
    order(&first, "emergency_stop", json!({})).await;
    until_paused(&first, true).await;
    // It comes back, and finds the Hive stopped: it starts nothing, and what it has waiting stays.
    let found = missing.start().await;
    until_paused(&found, true).await;
    let reasons = found.get(&format!("/api/v1/tasks/{waiting}/explain")).await;
    let reasons = reasons.expect(200).to_string();
    assert!(reasons.contains("emergency stop"), "{reasons}");
    assert_eq!(found.task(&waiting).await["status"], "PENDING");
    // Resumed here by hand, it stays so, also after another start.
    found.resume().await;
    let again = found.stop().await.start().await;
    until_node(&again, "pid", &json!(again.pid())).await;
    assert_eq!(again.queue_status().await["paused"], false);
    // An order that only stands, as it does for those whose connection was lost while it was given.
    let pause = r#"{"command": "pause", "data": {"reason": "moving"}, "timestamp": "x"}"#;
    redis.command(&["SET", ORDER, pause]).await;
    eventually("the order is found", || async {
        until_node(&again, "pid", &json!(again.pid())).await;
        (again.queue_status().await["paused"] == true).then_some(())
    })
    .await;
    for service in [first, again] {
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn who_comes_new_keeps_its_own_pause_and_survives_a_strange_order() {
    let redis = Redis::start().await;
    let resume = r#"{"command": "resume", "data": {}}"#;
    redis.command(&["SET", ORDER, resume]).await;
    let paused = Setup::new().start().await;
    paused.pause().await;
    let stopped = paused.stop().await;
    let port = redis.port().to_string();
    let stopped = stopped
        .with_setting("enable_hive", true)
        .with_setting("redis_host", "\"127.0.0.1\"")
        .with_setting("redis_port", &port);
    let service = stopped.start().await;
    until_node(&service, "pid", &json!(service.pid())).await;
    assert_eq!(service.queue_status().await["paused"], true);
    service.resume().await;
    for strange in [
        &["DEL", ORDER][..],
        &["RPUSH", ORDER, "a"],
        &["DEL", ORDER],
        &["SET", ORDER, "\u{0}{"],
    ] {
        redis.command(strange).await;
        until_node(&service, "pid", &json!(service.pid())).await;
    }
    assert_eq!(service.queue_status().await["paused"], false);
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_order_of_another_program_stands_too() {
    let redis = Redis::start().await;
    let service = service(&redis).await;
    order(&service, "emergency_stop", json!({})).await;
    until_paused(&service, true).await;
    redis
        .command(&["PUBLISH", CHANNEL, r#"{"command": "resume"}"#])
        .await;
    until_paused(&service, false).await;
    eventually("it stands", || async {
        let standing = redis.command(&["GET", ORDER]).await;
        standing.text().contains("resume").then_some(())
    })
    .await;
    // So a worker that comes later is not stopped.
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "late").await;
    let id = service.submit_to("upper", "runs").await;
    assert_eq!(service.finished(&id).await["result"], "RUNS");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_order_that_was_found_first_is_obeyed_once() {
    let redis = Redis::start().await;
    let service = service(&redis).await;
    let id = service.submit("one").await;
    service.finished(&id).await;
    // Both stand before the channel brings them, as when it is behind.
    for command in ["pause", "resume"] {
        let order = json!({ "command": command, "data": {}, "timestamp": command }).to_string();
        redis.command(&["SET", ORDER, &order]).await;
        eventually("it is found", || async {
            until_node(&service, "pid", &json!(service.pid())).await;
            (service.queue_status().await["paused"] == (command == "pause")).then_some(())
        })
        .await;
    }
    for command in ["pause", "resume", "status"] {
        let order = json!({ "command": command, "data": {}, "timestamp": command }).to_string();
        redis.command(&["PUBLISH", CHANNEL, &order]).await;
    }
    // An order that comes after them has been obeyed: so they have been heard.
    let last = json!({ "reason": "last" });
    order(&service, "pause", last).await;
    until_paused(&service, true).await;
    let pauses = service.replay().await.into_iter();
    let pauses = pauses.filter(|event| event["type"] == "QUEUE_PAUSED");
    assert_eq!(pauses.count(), 2);
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn two_hives_on_one_redis_do_not_order_each_other() {
    let redis = Redis::start().await;
    let ours = service(&redis).await;
    let channel = "\"another\"";
    let theirs = hive(&redis).setting("hive_broadcast_channel", channel);
    let theirs = theirs.start().await;
    until_node(&theirs, "pid", &json!(theirs.pid())).await;
    order(&theirs, "pause", json!({})).await;
    until_paused(&theirs, true).await;
    until_node(&ours, "pid", &json!(ours.pid())).await;
    assert_eq!(ours.queue_status().await["paused"], false);
    let nodes = ours.get("/api/v1/hive/nodes").await.expect(200);
    assert_eq!(nodes.as_array().expect("a list").len(), 1);
    for service in [ours, theirs] {
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_worker_that_cannot_be_listed_works_all_the_same() {
    let redis = Redis::start().await;
    let nodes = "venom:hive:nodes:venom:broadcast";
    redis.command(&["SET", nodes, "no list"]).await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "w").await;
    worker.until_said("refuses to list this node").await;
    let arq = Arq::newest(BACKGROUND);
    arq.enqueue(&redis, "a", "upper", "text").await;
    let ended = arq.client(&redis, &["result", "a"]).await;
    assert_eq!(ended, json!({ "result": "TEXT" }));
}
