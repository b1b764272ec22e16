//! The rights that the user of a service and its workers needs in Redis: the ones that the guide lists suffice, and one
//! that is missing is named.

use serde_json::json;

use support::hive::{calls, hive};
use support::{Redis, Reply, Service, Setup, Yard, eventually, result_text};

/// The channels of the keys that services and workers hear of: patterns have to be allowed letter by letter.
const KEYSPACE: [&str; 4] = [
    "&__keyspace@0__:arq:result:*",
    "&__keyspace@0__:arq:in-progress:*",
    "&__keyspace@0__:arq:abort",
    "&__keyspace@0__:venom:tasks:*",
];

/// What the guide says, as words of a command, with the password.
fn guide() -> Vec<String> {
    let page = include_str!("../../docs/guides/hive.md");
    let (_, after) = page.split_once("ACL SETUSER venom ").expect("the list");
    let (rights, _) = after.split_once("```").expect("its end");
    let rights = rights.replace("\\\n", " ").replace("PASSWORD", "secret");
    let rights = rights.replace(['\'', '"'], "");
    let words = ["ACL", "SETUSER", "venom"]
        .into_iter()
        .chain(rights.split_whitespace());
    words.map(str::to_owned).collect()
}

async fn acl(redis: &Redis, words: &[String]) {
    let words: Vec<_> = words.iter().map(String::as_str).collect();
    redis.command(&words).await;
}

async fn grant(redis: &Redis, rights: &[&str]) {
    let words = [&["ACL", "SETUSER", "venom"], rights].concat();
    redis.command(&words).await;
}

fn as_user(redis: &Redis) -> Setup {
    hive(redis)
        .setting("redis_username", "\"venom\"")
        .setting("redis_password", "\"secret\"")
}

async fn until_hive_is(service: &Service, state: &str) -> String {
    eventually(&format!("the Hive is {state}"), || async {
        let status = service.queue_status().await;
        let reason = status["hive"]["reason"].as_str().unwrap_or_default();
        (status["hive"]["state"] == state).then(|| reason.to_owned())
    })
    .await
}

/// Everything that services and workers do, by a user who may do nothing else. Redis writes down what it denies.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_rights_that_the_guide_lists_are_enough() {
    let redis = Redis::start().await;
    redis
        .command(&["CONFIG", "SET", "notify-keyspace-events", "K$zg"])
        .await;
    acl(&redis, &guide()).await;
    let yard = Yard::new().login("venom", "secret");
    let worker = yard.worker(&redis, "a").await;
    let setup = as_user(&redis)
        .table(&calls("upper", ""))
        .table(&calls("gate", ""));
    let setup = setup.table(&calls("fail", "max_attempts = 2\nbackoff = { first = 0 }"));
    let service = setup.start().await;
    until_hive_is(&service, "connected").await;
    let id = service.submit_to("upper", "text").await;
    assert_eq!(service.finished(&id).await["result"], "TEXT");
    let id = service.submit_to("fail", "text").await;
    assert_eq!(service.finished(&id).await["attempt"], 2);
    // One that runs is aborted.
    let id = service.submit_to("gate", "never").await;
    yard.until_noted("run never 1").await;
    service.abort(&id).await.expect(200);
    let end = result_text(&redis, &format!("{id}:1")).await;
    assert!(end.contains("CancelledError"), "{end}");
    // Orders, nodes and numbers.
    let pause = json!({ "command": "pause" });
    let told = service.post_json("/api/v1/hive/broadcast", &pause).await;
    assert_eq!(told.expect(200)["receivers"], 2);
    let status = service.get("/api/v1/hive/status").await.expect(200);
    assert_eq!(
        (&status["nodes"], &status["queues"]["high"]["length"]),
        (&json!(2), &json!(0))
    );
    let resume = json!({ "command": "resume" });
    let told = service.post_json("/api/v1/hive/broadcast", &resume).await;
    told.expect(200);
    // One that runs is given back by a stop, and goes on with another worker while the service starts anew.
    let id = service.submit_to("gate", "gate").await;
    yard.until_noted("run gate 1").await;
    assert_eq!(worker.stop().await.code(), Some(0));
    let service = service.kill9().await.start().await;
    let _worker = yard.worker(&redis, "b").await;
    yard.open_gate("gate");
    assert_eq!(service.finished(&id).await["result"], "let through");
    assert_eq!(denied(&redis).await, [""; 0]);
    service.ends_well().await;
}

/// The commands, keys and channels that Redis has denied; not those by which a client only introduces itself.
async fn denied(redis: &Redis) -> Vec<String> {
    let Reply::List(entries) = redis.command(&["ACL", "LOG"]).await else {
        panic!("no list");
    };
    let object = |entry: &Reply| {
        let Reply::List(fields) = entry else {
            panic!("no entry: {entry:?}");
        };
        let name = Reply::Bytes(b"object".to_vec());
        let at = fields
            .iter()
            .position(|field| *field == name)
            .expect("an object");
        fields[at + 1].text().to_owned()
    };
    let objects = entries.iter().map(object);
    objects.filter(|it| !it.starts_with("client")).collect()
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_right_that_is_missing_is_named() {
    let redis = Redis::start().await;
    acl(&redis, &guide()).await;
    let service = as_user(&redis).table(&calls("upper", "")).start().await;
    let yard = Yard::new().login("venom", "secret");
    let worker = yard.worker(&redis, "a").await;
    until_hive_is(&service, "connected").await;
    for (taken, named, given) in [
        (&["-evalsha"][..], "may not run EVALSHA", &["+evalsha"][..]),
        (&["-eval"], "may not run EVAL", &["+eval"]),
        (&["-zadd"], "ACL SETUSER venom +zadd", &["+zadd"]),
        (
            &["resetkeys", "~venom:*"],
            "may not use the keys arq:*",
            &["~arq:*"],
        ),
        (
            &["resetchannels", "&venom:broadcast"],
            "may not listen to the channel __keyspace@0__:arq:result:*",
            &KEYSPACE,
        ),
        (
            &[
                "resetchannels",
                KEYSPACE[0],
                KEYSPACE[1],
                KEYSPACE[2],
                KEYSPACE[3],
            ],
            "may not listen to the channel venom:broadcast",
            &["&venom:broadcast"],
        ),
    ] {
        grant(&redis, taken).await;
        let reason = until_hive_is(&service, "refusing").await;
        assert!(reason.contains(named), "{taken:?}: {reason}");
        assert!(!reason.contains("secret"), "{reason}");
        let id = service.submit_to("upper", "text").await;
        let path = format!("/api/v1/tasks/{id}/explain");
        let explained = service.get(&path).await.expect(200);
        let message = explained["message"].as_str().expect("a sentence");
        assert!(message.contains(named), "{taken:?}: {explained}");
        grant(&redis, given).await;
        until_hive_is(&service, "connected").await;
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["result"], &task["attempt"]),
            (&json!("TEXT"), &json!(1)),
            "{task}"
        );
    }
    worker.until_said("may not run ZADD").await;
    service.ends_well().await;
}
