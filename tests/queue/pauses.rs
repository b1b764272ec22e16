//! Pauses that meet: what was said last holds, the answer says so, and any pause can be ended.

use serde_json::{Value, json};

use support::{Answer, Service, Setup};

const PAUSE: &str = "/api/v1/queue/pause";
const RESUME: &str = "/api/v1/queue/resume";

const EARLY: &str = "2090-01-01T00:00:00.000000Z";
const LATE: &str = "2099-01-01T00:00:00.000000Z";

/// Why a task waits that nothing but a pause holds.
async fn only_reason(service: &Service, id: &str) -> Value {
    let path = format!("/api/v1/tasks/{id}/explain");
    let explained = service.get(&path).await.expect(200);
    let reasons = explained["reasons"].as_array().unwrap();
    assert_eq!(reasons.len(), 1, "{explained}");
    reasons[0].clone()
}

fn until_and_reason(of: &Value) -> (Value, Value) {
    let found = |name| of.get(name).cloned().unwrap_or_default();
    (found("until"), found("reason"))
}

#[tokio::test]
async fn of_two_pauses_the_later_holds_since_the_first() {
    let service = Service::start().await;
    for processor in [None, Some("echo")] {
        let mut named = json!({});
        if let Some(name) = processor {
            named["processor"] = json!(name);
        }
        service.post_json(PAUSE, &named).await.expect(200);
        let id = service.submit("waits").await;
        let since = only_reason(&service, &id).await["since"].clone();
        for (until, reason) in [
            (json!(LATE), json!("second")),
            (json!(EARLY), json!("third")),
            (json!(LATE), Value::Null),
            (Value::Null, json!("fifth")),
        ] {
            let mut body = named.clone();
            body["until"] = until.clone();
            body["reason"] = reason.clone();
            let paused = service.post_json(PAUSE, &body).await.expect(200);
            assert_eq!(until_and_reason(&paused), (until.clone(), reason.clone()));
            let message = paused["message"].as_str().unwrap();
            let end = until.as_str().unwrap_or("until");
            assert_eq!(message.contains(end), !until.is_null(), "{message}");
            let why = only_reason(&service, &id).await;
            assert_eq!(until_and_reason(&why), (until, reason));
            assert_eq!(why["since"], since);
        }
        service.post_json(RESUME, &named).await.expect(200);
        service.finished(&id).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_pause_that_says_nothing_else_is_told_once() {
    let service = Service::start().await;
    let mut expected = Vec::new();
    for processor in [Value::Null, json!("echo")] {
        for (until, told) in [(LATE, true), (LATE, false), (EARLY, true)] {
            let body = json!({"processor": processor, "until": until, "reason": "r"});
            service.post_json(PAUSE, &body).await.expect(200);
            if told {
                expected.push(json!(until));
            }
        }
    }
    let events = service.replay().await;
    let told: Vec<_> = events
        .iter()
        .map(|it| it["data"]["until"].clone())
        .collect();
    assert_eq!(told, expected);
    service.ends_well().await;
}

#[tokio::test]
async fn a_pause_does_not_end_an_emergency_stop() {
    let service = Service::start().await;
    let body = json!({"until": EARLY, "reason": "before"});
    service.post_json(PAUSE, &body).await.expect(200);
    service.emergency_stop().await;
    let id = service.submit("waits").await;
    let service = service.kill9().await.start().await;
    let stopped = only_reason(&service, &id).await;
    assert_eq!(
        until_and_reason(&stopped),
        (Value::Null, json!("emergency stop"))
    );
    let body = json!({"until": LATE, "reason": "lunch"});
    let paused = service.post_json(PAUSE, &body).await.expect(200);
    assert_eq!(
        until_and_reason(&paused),
        (Value::Null, json!("emergency stop"))
    );
    assert!(
        paused["message"].as_str().unwrap().contains("resumed"),
        "{paused}"
    );
    assert_eq!(only_reason(&service, &id).await, stopped);
    service.resume().await;
    service.finished(&id).await;
    let paused = service.post_json(PAUSE, &body).await.expect(200);
    assert_eq!(until_and_reason(&paused), (json!(LATE), json!("lunch")));
    service.ends_well().await;
}

#[tokio::test]
async fn a_paused_processor_that_is_no_longer_configured_can_be_resumed() {
    let setup = Setup::new().table("[processors.hdr]\nkind = \"echo\"");
    let service = setup.start().await;
    let body = json!({"processor": "hdr"});
    service.post_json(PAUSE, &body).await.expect(200);
    let setup = service.setup().folder().join("venom.toml");
    let settings = std::fs::read_to_string(&setup).unwrap();
    std::fs::write(
        &setup,
        settings.replace("[processors.hdr]", "[processors.new]"),
    )
    .unwrap();
    service.post("/api/v1/reload").await.expect(200);

    let resumed = service.post_json(RESUME, &body).await.expect(200);
    assert_eq!(resumed["message"], "Processor hdr resumed.");
    let listed = service.get("/api/v1/processors").await.expect(200);
    let named = |it: &Value| it["name"] == "hdr";
    assert!(!listed.as_array().unwrap().iter().any(named), "{listed}");
    // A second time there is neither such a processor nor such a pause.
    let problem = service.post_json(RESUME, &body).await.problem();
    assert_eq!(problem["loc"], json!(["body", "processor"]));
    assert_eq!(
        (&problem["type"], &problem["input"]),
        (&json!("enum"), &json!("hdr"))
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_resume_takes_nothing_but_a_processor() {
    let service = Service::start().await;
    service.pause().await;
    for (name, value) in [("until", json!(LATE)), ("reason", json!("lunch"))] {
        let problem = service
            .post_json(RESUME, &json!({ name: value }))
            .await
            .problem();
        assert_eq!(problem["type"], "extra_forbidden");
        assert_eq!(problem["loc"], json!(["body", name]));
        assert_eq!(problem["input"], value);
    }
    assert_eq!(service.queue_status().await["paused"], true);
    service.ends_well().await;
}

#[tokio::test]
async fn the_verbs_of_the_queue_take_no_parameters() {
    let service = Service::start().await;
    for verb in [
        "pause",
        "resume",
        "purge",
        "emergency-stop",
        "task/00000000-0000-0000-0000-000000000000/abort",
    ] {
        let path = format!("/api/v1/queue/{verb}?colour=red");
        let problem = service.post(&path).await.problem();
        assert_eq!(problem["loc"], json!(["query", "colour"]), "{verb}");
    }
    let answer: Answer = service.get("/api/v1/queue/status?colour=red").await;
    assert_eq!(answer.problem()["type"], "extra_forbidden");
    assert_eq!(service.queue_status().await["paused"], false);
    service.ends_well().await;
}
