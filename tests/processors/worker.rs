//! Tasks that programs outside run: who gets which, and what is told of them.

use std::collections::HashSet;
use std::sync::Mutex;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use support::{Answer, Service, Setup, tasks_of};

#[tokio::test]
async fn a_claimed_task_is_told_of_and_completed() {
    let service = Service::with_worker("").await;
    let upstream = service.submit("first").await;
    let body = json!({ "content": "second", "processor": "outside", "after": [upstream] });
    let id = service.submit_json(&body).await;
    let claimed = service.claim(json!({ "wait": 60, "worker": "blue" })).await;
    let task = &claimed[0];
    let mut known = task.clone();
    for (name, of_claim) in [
        ("lease_seconds", json!(60.0)),
        (
            "upstream",
            json!([{ "id": upstream, "status": "COMPLETED", "result": "Processed: first" }]),
        ),
    ] {
        let fields = known.as_object_mut().expect("an object");
        assert_eq!(fields.remove(name), Some(of_claim));
    }
    let before = known["lease_expires_at"].take();
    assert_eq!(
        (&known["status"], &known["attempt"]),
        (&json!("PROCESSING"), &json!(1))
    );

    let renewed = service.tell(task, "heartbeat", json!({})).await.expect(200);
    assert!(renewed["lease_expires_at"].as_str() > before.as_str());
    for (verb, fields) in [
        ("log", json!({ "line": "one", "lines": null })),
        (
            "log",
            json!({ "line": null, "lines": ["two", "three\nfour"] }),
        ),
        ("progress", json!({ "progress": 0.5 })),
    ] {
        let renewed = service.tell(task, verb, fields).await.expect(200);
        assert!(renewed["lease_expires_at"].is_string());
    }
    let done = service.complete(task, "the result").await;
    assert_eq!(
        done,
        json!({ "success": true, "task_id": id, "status": "COMPLETED" })
    );
    // It is stored by then.
    let task_then = service.task(&id).await;
    assert_eq!(
        (
            &task_then["status"],
            &task_then["result"],
            &task_then["progress"]
        ),
        (&json!("COMPLETED"), &json!("the result"), &json!(0.5))
    );
    let logs = task_then["logs"].as_array().expect("a list").iter();
    let logs: Vec<_> = logs.filter_map(Value::as_str).collect();
    assert!(
        logs.windows(5)
            .any(|lines| lines == ["Claimed by worker blue", "one", "two", "three", "four"]),
        "{logs:?}"
    );
    let told: Vec<_> = service.replay().await;
    let told = told.iter().filter(|event| event["data"]["task_id"] == id);
    let told: Vec<_> = told.map(|event| event["type"].as_str()).collect();
    for kind in [
        "TASK_STARTED",
        "TASK_LOG",
        "TASK_PROGRESS",
        "TASK_COMPLETED",
    ] {
        assert!(told.contains(&Some(kind)), "{kind} in {told:?}");
    }
    // Who has not heard the answer asks again; who says something else is too late.
    assert_eq!(service.complete(task, "the result").await, done);
    let other = json!({ "result": "another" });
    service.tell(task, "complete", other).await.sentence(409);
    service
        .tell(task, "heartbeat", json!({}))
        .await
        .sentence(409);
    service.ends_well().await;
}

#[tokio::test]
async fn nothing_starts_before_somebody_asks_for_it() {
    let service = Service::with_worker("").await;
    assert_eq!(service.claim(json!({})).await, [Value::Null; 0]);
    let id = service.submit_to("outside", "waits").await;
    // The queue itself goes on.
    let other = service.submit("runs").await;
    service.finished(&other).await;
    service.is_asked_for(&id, false).await;
    let task = service.task(&id).await;
    assert_eq!(
        (&task["status"], &task["attempt"]),
        (&json!("PENDING"), &json!(0))
    );
    // A claim that does not wait gets what is there.
    let claimed = service.claim(json!({ "limit": 10 })).await;
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0]["id"], id);
    service.complete(&claimed[0], "").await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_claim_that_waits_gets_the_task_that_comes() {
    let service = Service::with_worker("").await;
    service.pause().await;
    let first = service.submit_to("outside", "first").await;
    let poll = service.poll();
    service.is_asked_for(&first, true).await;
    assert!(!poll.is_finished());
    service.resume().await;
    let claimed = tasks_of(&poll.await.expect("no panic"));
    assert_eq!(claimed.len(), 1);
    assert_eq!(claimed[0]["id"], first);
    // It asked for one, and does not ask any more.
    let second = service.submit_to("outside", "second").await;
    service.is_asked_for(&second, false).await;
    service.complete(&claimed[0], "").await;
    service.complete(&service.claim_one().await, "").await;
    service.ends_well().await;
}

#[tokio::test]
async fn no_task_is_given_to_two_claims() {
    const TASKS: usize = 100;
    let service = Service::with_worker("").await;
    let given = Mutex::new(Vec::new());
    let is_over = || given.lock().expect("no panic").len() >= TASKS;
    let workers = (0..8).map(async |number| {
        while !is_over() {
            let limit = 1 + number % 3;
            let tasks = service.claim(json!({ "wait": 0.2, "limit": limit })).await;
            assert!(tasks.len() <= limit);
            for task in tasks {
                given.lock().expect("no panic").push(task["id"].to_string());
                service.complete(&task, "").await;
            }
        }
    });
    let submitter = async {
        for number in 0..TASKS {
            service.submit_to("outside", &number.to_string()).await;
        }
    };
    join(submitter, join_all(workers)).await;
    let given = given.into_inner().expect("no panic");
    assert_eq!(given.len(), TASKS);
    assert_eq!(given.iter().collect::<HashSet<_>>().len(), TASKS);
    let mut database = service.database().await;
    let once = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED' AND attempt = 1";
    assert_eq!(database.number(once).await, TASKS as i64);
    drop(database);
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_named() {
    let setup = Setup::new().worker_processor("").gates();
    let service = setup.start().await;
    for (body, loc) in [
        (json!({}), json!(["body", "processors"])),
        (json!({ "processors": [] }), json!(["body", "processors"])),
        (
            json!({ "processors": ["outside", "gate"] }),
            json!(["body", "processors", 1]),
        ),
        (
            json!({ "processors": ["outside"], "limit": 101 }),
            json!(["body", "limit"]),
        ),
        (
            json!({ "processors": ["outside"], "wait": 61 }),
            json!(["body", "wait"]),
        ),
        (
            json!({ "processors": ["outside"], "more": 1 }),
            json!(["body", "more"]),
        ),
    ] {
        let answer = service.post_json("/api/v1/worker/claim", &body).await;
        assert_eq!(answer.problem()["loc"], loc, "{body}");
    }
    service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    for (verb, fields, name) in [
        ("heartbeat", json!({ "attempt": null }), "attempt"),
        ("log", json!({}), "line"),
        ("progress", json!({ "progress": 1.5 }), "progress"),
        ("complete", json!({}), "result"),
        ("fail", json!({ "error": 1 }), "error"),
        ("fail", json!({ "error": "", "retry": "no" }), "retry"),
    ] {
        let problem = service.tell(&task, verb, fields).await.problem();
        assert_eq!(problem["loc"], json!(["body", name]), "{verb}");
    }
    let nobody = json!({ "id": uuid::Uuid::new_v4(), "attempt": 1 });
    let answer = service.tell(&nobody, "heartbeat", json!({})).await;
    assert_eq!(answer.sentence(404), "Task not found");
    let get = service.request(Method::GET, "/api/v1/worker/claim");
    assert_eq!(Answer::of(get).await.status, 405);
    // A result that is no text is kept as its JSON.
    let result = json!({ "result": { "words": 3 } });
    service.tell(&task, "complete", result).await.expect(200);
    let id = task["id"].as_str().expect("an id");
    assert_eq!(service.task(id).await["result"], r#"{"words":3}"#);
    service.ends_well().await;
}

#[tokio::test]
async fn nul_in_what_a_worker_says_is_replaced() {
    let service = Service::with_worker("").await;
    for verb in ["complete", "fail"] {
        let id = service.submit_to("outside", "").await;
        let task = service.claim(json!({ "wait": 60, "worker": "a\0b" })).await;
        let task = &task[0];
        let line = json!({ "line": "li\0ne" });
        service.tell(task, "log", line).await.expect(200);
        let name = if verb == "fail" { "error" } else { "result" };
        let mut said = json!({});
        said[name] = json!("so\0so");
        service.tell(task, verb, said.clone()).await.expect(200);
        if verb == "complete" {
            // A repeat is still known as one.
            service.tell(task, verb, said).await.expect(200);
        }
        let task = service.task(&id).await;
        assert_eq!(task[name], "so\u{fffd}so", "{task}");
        let logs = task["logs"].to_string();
        for text in ["a\u{fffd}b", "li\u{fffd}ne"] {
            assert!(logs.contains(text), "{logs}");
        }
    }
    let stored = "SELECT count(*) FROM logs WHERE instr(CAST(message AS BLOB), x'00') > 0";
    assert_eq!(service.database().await.number(stored).await, 0);
    service.ends_well().await;
}

#[tokio::test]
async fn one_call_adds_a_thousand_lines_at_most() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    let many = "x\n".repeat(1001);
    for (fields, name) in [
        (json!({ "line": many }), "line"),
        (json!({ "lines": ["x", "x\n".repeat(1000)] }), "lines"),
    ] {
        let problem = service.tell(&task, "log", fields).await.problem();
        assert_eq!(problem["loc"], json!(["body", name]));
        let msg = "Input should be at most 1000 lines";
        assert_eq!(problem["msg"], msg);
        assert_eq!(problem["input"], 1001);
    }
    let both = json!({ "line": "x", "lines": ["x"] });
    let problem = service.tell(&task, "log", both).await.problem();
    assert_eq!(problem["msg"], "Give either line or lines");
    let enough = json!({ "line": "x\n".repeat(1000) });
    service.tell(&task, "log", enough).await.expect(200);
    service.complete(&task, "").await;
    let logs = service.task(&id).await["logs"].to_string();
    assert_eq!(logs.matches("\"x\"").count(), 1000);
    service.ends_well().await;
}
