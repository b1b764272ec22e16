//! Orders to all nodes of the Hive, who its nodes are, and how it is.

use reqwest::Method;
use serde_json::{Value, json};

use support::hive::{BACKGROUND, hive};
use support::{Answer, Arq, Redis, Reply, Service, Setup, eventually};

const CHANNEL: &str = "venom:broadcast";
const BROADCAST: &str = "/api/v1/hive/broadcast";

/// Two services that know of each other.
pub(crate) async fn two(redis: &Redis, setup: impl Fn() -> Setup) -> [Service; 2] {
    let services = [setup().start().await, setup().start().await];
    eventually("both listen", || async {
        let found = redis.command(&["PUBSUB", "NUMSUB", CHANNEL]).await;
        let Reply::List(found) = found else {
            panic!("not a list: {found:?}");
        };
        (found[1].number() == 2).then_some(())
    })
    .await;
    for service in &services {
        until_nodes(service, 2).await;
    }
    services
}

async fn nodes(service: &Service) -> Vec<Value> {
    let nodes = service.get("/api/v1/hive/nodes").await.expect(200);
    nodes.as_array().expect("a list").clone()
}

/// Waits until `number` nodes are listed.
async fn until_nodes(service: &Service, number: usize) {
    eventually("the nodes are listed", || async {
        // 503 until it has found Redis.
        let answer = service.get("/api/v1/hive/nodes").await;
        let is_there = answer.status == 200 && answer.json().as_array()?.len() == number;
        is_there.then_some(())
    })
    .await;
}

/// The node that is this service.
fn node_of<'a>(nodes: &'a [Value], service: &Service) -> &'a Value {
    let found = nodes.iter().find(|node| node["pid"] == service.pid());
    found.unwrap_or_else(|| panic!("{nodes:?}"))
}

async fn publish(redis: &Redis, message: &str) -> i64 {
    let told = redis.command(&["PUBLISH", CHANNEL, message]).await;
    told.number()
}

async fn until_paused(service: &Service, paused: bool) {
    eventually("the order is obeyed", || async {
        (service.queue_status().await["paused"] == paused).then_some(())
    })
    .await;
}

/// What the journal says of the other nodes.
async fn news(service: &Service) -> Vec<(String, String, String)> {
    let events = service.replay().await.into_iter();
    let events = events.filter(|event| event["data"]["node"].is_string());
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let words = events.map(|event| {
        assert_eq!(event["type"], "SYSTEM_LOG");
        let sentence = text(&event["message"]);
        let what = sentence.split_once(") ").expect("a process").1.to_owned();
        let (level, node) = (text(&event["data"]["level"]), text(&event["data"]["node"]));
        (level, node, what)
    });
    words.collect()
}

/// Waits until this service has compared a list of nodes that Redis gave it after this call: the second report from
/// then on begins once the first one's list is compared.
async fn until_compared(redis: &Redis, service: &Service) {
    for _ in 0..2 {
        let before = node_of(&nodes(service).await, service)["last_seen"].clone();
        eventually("the service reports again", || async {
            publish(redis, r#"{"command": "status"}"#).await;
            let now = node_of(&nodes(service).await, service)["last_seen"].clone();
            (now != before).then_some(())
        })
        .await;
    }
}

/// Waits for the first of these words about this node.
async fn until_told(redis: &Redis, service: &Service, node: &str, what: &str) {
    eventually("the journal tells of the node", || async {
        // So that it looks now, and not within five seconds.
        publish(redis, r#"{"command": "status"}"#).await;
        let news = news(service).await;
        let found = news
            .iter()
            .any(|(_, id, words)| id == node && words == what);
        found.then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_order_to_the_hive_reaches_every_service() {
    let redis = Redis::start().await;
    let services = two(&redis, || hive(&redis).gates()).await;
    let running = [
        services[0].submit_to_gate("runs").await,
        services[1].submit_to_gate("runs").await,
    ];
    let pause = json!({ "command": "pause", "data": { "reason": "moving" } });
    let told = services[0].post_json(BROADCAST, &pause).await.expect(200);
    assert_eq!(
        (&told["success"], &told["receivers"]),
        (&json!(true), &json!(2))
    );
    for service in &services {
        until_paused(service, true).await;
        let id = service.submit("waits").await;
        let path = format!("/api/v1/tasks/{id}/explain");
        let explained = service.get(&path).await.expect(200);
        assert_eq!(explained["reasons"][0]["reason"], "by the Hive: moving");
    }
    let resume = json!({ "command": "resume" });
    services[1].post_json(BROADCAST, &resume).await.expect(200);
    for service in &services {
        until_paused(service, false).await;
    }
    let stop = json!({ "command": "emergency_stop" });
    services[0].post_json(BROADCAST, &stop).await.expect(200);
    for (service, id) in services.iter().zip(&running) {
        assert_eq!(service.finished(id).await["failure"], "emergency_stop");
        until_paused(service, true).await;
    }
    for service in services {
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn queue_calls_are_passed_on_if_asked_and_done_once_here() {
    let redis = Redis::start().await;
    let services = two(&redis, || hive(&redis).gates()).await;
    let [here, there] = &services;
    let id = there.submit_to_gate("runs").await;
    for (path, paused) in [("pause", true), ("resume", false), ("emergency-stop", true)] {
        let path = format!("/api/v1/queue/{path}?hive=true");
        let done = here.post(&path).await.expect(200);
        assert_eq!(done["receivers"], 2, "{done}");
        assert_eq!(here.queue_status().await["paused"], paused);
        until_paused(there, paused).await;
    }
    assert_eq!(there.finished(&id).await["failure"], "emergency_stop");
    // An order that comes after them has been obeyed: so they have been heard.
    here.post_json(BROADCAST, &json!({ "command": "resume" }))
        .await
        .expect(200);
    until_paused(here, false).await;
    let told: Vec<_> = here.replay().await;
    let stops = told
        .iter()
        .filter(|event| event["type"] == "EMERGENCY_STOP");
    assert_eq!(stops.count(), 1);
    // Without the parameter it is nobody else's matter.
    here.pause().await;
    publish(&redis, r#"{"command": "resume"}"#).await;
    until_paused(here, false).await;
    until_paused(there, false).await;
    here.pause().await;
    assert_eq!(there.queue_status().await["paused"], false);
    let wrong = here.post("/api/v1/queue/pause?hive=maybe").await.problem();
    assert_eq!(wrong["loc"], json!(["query", "hive"]));
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn messages_of_other_programs_are_obeyed_and_hostile_ones_let_be() {
    let redis = Redis::start().await;
    let service = hive(&redis).start().await;
    until_nodes(&service, 1).await;
    let large = format!(
        r#"{{"command": "pause", "data": {{"reason": "{}"}}}}"#,
        "x".repeat(70_000)
    );
    let deep = format!(r#"{{"command": "pause", "data": {}"#, "[".repeat(50_000));
    for message in [
        "",
        "null",
        "\u{0}\u{fffd}",
        "[1e999999]",
        r#"{"command": ["pause"]}"#,
        r#"{"command": "pause", "data": []}"#,
        r#"{"command": "pause", "data": {"until": "soon"}}"#,
        r#"{"command": "pause", "data": {"until": "2001-01-01T00:00:00Z"}}"#,
        r#"{"command": "pause", "data": {"processor": "nobody's"}}"#,
        r#"{"command": "UPDATE_SYSTEM", "data": {}}"#,
        &large,
        &deep,
    ] {
        assert_eq!(publish(&redis, message).await, 1);
    }
    // As Python's json.dumps and datetime.isoformat write it.
    let stamp = r#""timestamp": "2026-01-31T12:00:00.123456""#;
    publish(
        &redis,
        &format!(r#"{{"command": "STATUS", "data": {{}}, {stamp}}}"#),
    )
    .await;
    publish(
        &redis,
        &format!(r#"{{"command": "RESUME", "data": {{}}, {stamp}}}"#),
    )
    .await;
    publish(
        &redis,
        &format!(r#"{{"command": "PAUSE", "data": {{}}, {stamp}}}"#),
    )
    .await;
    until_paused(&service, true).await;
    let events = service.replay().await;
    let kinds: Vec<_> = events.iter().map(|event| &event["type"]).collect();
    assert_eq!(kinds, ["QUEUE_PAUSED"], "{events:?}");
    assert_eq!(events[0]["data"]["reason"], "by the Hive");
    let log = service.setup().log();
    assert!(log.contains("UPDATE_SYSTEM"), "{log}");
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_broadcast_that_makes_no_sense_is_refused() {
    let redis = Redis::start().await;
    let service = hive(&redis).start().await;
    until_nodes(&service, 1).await;
    for (body, field) in [
        (json!({}), "command"),
        (json!({ "command": "emergency-stop" }), "command"),
        (json!({ "command": 1 }), "command"),
        (json!({ "command": "pause", "data": [] }), "data"),
        (
            json!({ "command": "pause", "data": { "until": "2001-01-01T00:00:00Z" } }),
            "data",
        ),
        (json!({ "command": "pause", "more": 1 }), "more"),
    ] {
        let problem = service.post_json(BROADCAST, &body).await.problem();
        assert_eq!(problem["loc"], json!(["body", field]), "{body}");
    }
    let large = json!({ "command": "pause", "data": { "reason": "x".repeat(70_000) } });
    service.post_json(BROADCAST, &large).await.sentence(413);
    let request = service.request(Method::POST, BROADCAST);
    let foreign = request.header("origin", "https://evil.example");
    let pause = json!({ "command": "pause" });
    Answer::of(foreign.json(&pause)).await.sentence(403);
    assert_eq!(service.queue_status().await["paused"], false);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn nodes_report_themselves_and_one_that_dies_is_told_once() {
    let redis = Redis::start().await;
    let [here, there] = two(&redis, || hive(&redis).gates()).await;
    there.submit_to_gate("runs").await;
    there.pause().await;
    publish(&redis, r#"{"command": "status"}"#).await;
    let found = eventually("the report has come", || async {
        let nodes = nodes(&here).await;
        (node_of(&nodes, &there)["running"] == 1).then_some(nodes)
    })
    .await;
    let node = node_of(&found, &there);
    let names: Vec<_> = node.as_object().expect("an object").keys().collect();
    let expected = [
        "id",
        "name",
        "kind",
        "version",
        "pid",
        "running",
        "load",
        "max",
        "started_at",
        "last_seen",
        "paused",
        "silent",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (
            &node["kind"],
            &node["max"],
            &node["paused"],
            &node["silent"]
        ),
        (&json!("service"), &json!(5), &json!(true), &json!(false))
    );
    assert_eq!(node["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(node_of(&found, &here)["running"], 0);

    let id = node["id"].as_str().expect("an id").to_owned();
    // A service misses only nodes that it has seen alive.
    until_compared(&redis, &here).await;
    let there = there.kill9().await;
    // As it expires after 30 seconds.
    redis
        .command(&["DEL", &format!("venom:hive:node:{CHANNEL}:{id}")])
        .await;
    until_told(&redis, &here, &id, "has gone silent").await;
    let found = nodes(&here).await;
    let silent = found.iter().find(|node| node["id"] == *id).expect("listed");
    assert_eq!(
        (&silent["silent"], &silent["running"]),
        (&json!(true), &json!(1))
    );
    let status = here.get("/api/v1/hive/status").await.expect(200);
    assert_eq!(status["nodes"], 1);

    // Another start is another node; and one that stops as it should is not missed.
    let there = there.start().await;
    until_nodes(&here, 3).await;
    let found = nodes(&here).await;
    let next = node_of(&found, &there)["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    until_told(&redis, &here, &next, "has joined").await;
    there.stop().await;
    until_told(&redis, &here, &next, "has left").await;
    assert_eq!(nodes(&here).await.len(), 2);
    let about: Vec<_> = news(&here).await;
    let of = |node: &str, what: &str| {
        about
            .iter()
            .filter(|(_, id, words)| id == node && words == what)
            .count()
    };
    assert_eq!(of(&id, "has gone silent"), 1, "{about:?}");
    assert_eq!((of(&next, "has joined"), of(&next, "has left")), (1, 1));
    assert!(about.iter().any(|(level, ..)| level == "WARNING"));
    here.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn records_of_others_that_make_no_sense_disturb_nobody() {
    let redis = Redis::start().await;
    let service = hive(&redis).start().await;
    until_nodes(&service, 1).await;
    let huge = "x".repeat(10_000);
    for (id, score, words) in [
        ("a", "inf", "{}"),
        ("b", "9e15", "{\"id\": \"b\"}"),
        ("c", "9e300", &huge),
        (&huge, "9e15", "null"),
    ] {
        redis
            .command(&["ZADD", "venom:hive:nodes:venom:broadcast", score, id])
            .await;
        redis
            .command(&["HSET", "venom:hive:last-words:venom:broadcast", id, words])
            .await;
    }
    assert_eq!(nodes(&service).await.len(), 1);
    // Of another kind than they should be.
    redis
        .command(&["DEL", "venom:hive:nodes:venom:broadcast"])
        .await;
    redis
        .command(&["SET", "venom:hive:nodes:venom:broadcast", "x"])
        .await;
    service.get("/api/v1/hive/nodes").await.sentence(503);
    let status = service.get("/api/v1/hive/status").await.expect(200);
    assert_eq!(
        (&status["state"], &status["nodes"]),
        (&json!("connected"), &json!(null))
    );
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_status_counts_jobs() {
    let redis = Redis::start().await;
    let setup = ["ok", "fail", "gate"]
        .iter()
        .fold(hive(&redis), |setup, name| {
            let lines = "kind = \"hive\"\nmax_attempts = 1\n";
            setup.table(&format!(
                "[processors.{name}]\n{lines}function = \"{name}\"\n"
            ))
        });
    let service = setup.start().await;
    let gate = service.submit_to("gate", "open").await;
    let counted = |expected: [u64; 4]| {
        let service = &service;
        async move {
            eventually("the status counts them", || async {
                let status = service.get("/api/v1/hive/status").await.expect(200);
                let length = &status["queues"]["background"]["length"];
                let found = [
                    length,
                    &status["in_flight"],
                    &status["completed"],
                    &status["failed"],
                ];
                (found == expected.map(Value::from).each_ref()).then_some(status)
            })
            .await
        }
    };
    let status = counted([1, 1, 0, 0]).await;
    let names: Vec<_> = status.as_object().expect("an object").keys().collect();
    let expected = [
        "state",
        "queues",
        "in_flight",
        "completed",
        "failed",
        "nodes",
    ];
    assert_eq!(names, expected);
    assert_eq!(
        (&status["state"], &status["nodes"]),
        (&json!("connected"), &json!(1))
    );
    let high = json!({ "name": "venom:tasks:high", "length": 0 });
    assert_eq!(status["queues"]["high"], high);
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    for function in ["ok", "ok", "fail"] {
        let id = service.submit_to(function, "text").await;
        service.finished(&id).await;
    }
    counted([1, 1, 2, 1]).await;
    // What somebody aborts has not failed.
    service.abort(&gate).await.expect(200);
    counted([0, 0, 2, 1]).await;
    service.ends_well().await;
}

#[tokio::test]
async fn without_the_hive_it_is_said_that_it_is_off() {
    let service = Service::start().await;
    let off = "The Hive is off: set enable_hive.";
    for path in ["/api/v1/hive/status", "/api/v1/hive/nodes"] {
        assert_eq!(service.get(path).await.sentence(409), off);
    }
    let pause = json!({ "command": "pause" });
    let told = service.post_json(BROADCAST, &pause).await;
    assert_eq!(told.sentence(409), off);
    assert_eq!(service.queue_status().await["paused"], false);
    // Whoever wants all to stop wants this one to stop at least.
    let stopped = service.post("/api/v1/queue/emergency-stop?hive=true").await;
    let alone = stopped.sentence(409);
    assert!(alone.ends_with(off), "{alone}");
    assert_eq!(service.queue_status().await["paused"], true);
    let resumed = service.post("/api/v1/queue/resume?hive=false").await;
    resumed.expect(200);
    service.ends_well().await;
}

#[tokio::test]
async fn without_redis_it_is_said_that_it_is_away() {
    let setup = Setup::new().setting("enable_hive", true);
    let setup = setup.setting("redis_host", "\"127.0.0.1\"");
    let service = setup.setting("redis_port", 1).start().await;
    let status = service.get("/api/v1/hive/status").await.expect(200);
    assert_eq!(status["state"], "away");
    assert!(status["reason"].is_string() && status["since"].is_string());
    let background = json!({ "name": BACKGROUND, "length": null });
    assert_eq!(status["queues"]["background"], background);
    assert_eq!(status["nodes"], json!(null));
    let pause = json!({ "command": "pause" });
    for answer in [
        service.get("/api/v1/hive/nodes").await,
        service.post_json(BROADCAST, &pause).await,
    ] {
        let sentence = answer.sentence(503);
        assert!(sentence.starts_with("Redis is unreachable: "), "{sentence}");
    }
    assert_eq!(service.queue_status().await["paused"], false);
    let paused = service.post("/api/v1/queue/pause?hive=true").await;
    let sentence = paused.sentence(503);
    assert!(sentence.contains("this service"), "{sentence}");
    assert_eq!(service.queue_status().await["paused"], true);
    service.ends_well().await;
}
