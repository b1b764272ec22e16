//! `/ws/events`: what is said about what happens, live.

use serde_json::{Value, json};

use support::{Service, Setup};

/// Types and data, without what differs from run to run.
fn told(events: &[Value]) -> Vec<(String, Value)> {
    let told = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap().to_owned();
        (kind, event["data"].clone())
    });
    told.collect()
}

#[tokio::test]
async fn the_first_frame_is_a_welcome() {
    let service = Service::start().await;
    let (_listener, welcome) = service.connect("").await;
    let keys: Vec<_> = welcome.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["id", "type", "agent", "message", "timestamp", "data"]
    );
    assert_eq!(welcome["id"], 0);
    assert_eq!(welcome["type"], "SYSTEM_LOG");
    assert_eq!(welcome["agent"], Value::Null);
    assert_eq!(welcome["message"], "Connected to Venom Telemetry");
    assert_eq!(welcome["data"], json!({"level": "INFO"}));
    let timestamp = welcome["timestamp"].as_str().unwrap();
    assert!(
        timestamp.len() == 27 && timestamp.ends_with('Z'),
        "{timestamp}"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_finished_task_has_three_events_in_order() {
    let service = Service::start().await;
    let mut listener = service.listen("").await;
    let content = format!("{}\u{0}🐢", "ż".repeat(98));
    let id = service.submit(&format!("{content} and more")).await;
    let events = listener.until("TASK_COMPLETED", &id).await;
    let expected = [
        ("TASK_CREATED", json!({"task_id": id, "content": content})),
        ("TASK_STARTED", json!({"task_id": id, "attempt": 1})),
        (
            "TASK_COMPLETED",
            json!({"task_id": id, "result_length": 100 + 9 + 11}),
        ),
    ];
    assert_eq!(
        told(&events),
        expected.map(|(kind, data)| (kind.to_owned(), data))
    );
    let ids: Vec<_> = events
        .iter()
        .map(|event| event["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids, [1, 2, 3]);
    // The lines of the task's log are the messages of its events.
    let lines: Vec<_> = events
        .iter()
        .map(|event| event["message"].clone())
        .collect();
    assert_eq!(json!(lines), service.task(&id).await["logs"]);
    service.ends_well().await;
}

#[tokio::test]
async fn lines_and_progress_arrive_while_the_task_runs() {
    let service = Service::with_gates().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to_gate("knock").await;
    listener.until("TASK_STARTED", &id).await;
    service.say(&id, "half-way \"there\"").await;
    let line = listener.next_event().await;
    assert_eq!(line["type"], "TASK_LOG");
    assert_eq!(line["agent"], "gate");
    assert_eq!(line["message"], "half-way \"there\"");
    assert_eq!(
        line["data"],
        json!({"task_id": id, "line": "half-way \"there\""})
    );
    service.say(&id, "::progress 0.5").await;
    let progress = listener.next_event().await;
    assert_eq!(progress["type"], "TASK_PROGRESS");
    assert_eq!(progress["data"], json!({"task_id": id, "progress": 0.5}));
    assert_eq!(service.task(&id).await["progress"], 0.5);
    assert_eq!(service.task(&id).await["status"], "PROCESSING");
    service.open_gate(&id).await;
    service.ends_well().await;
}

#[tokio::test]
async fn every_end_of_a_task_has_its_event() {
    let service = Service::with_gates().await;
    let mut listener = service.listen("").await;
    let failed = service.submit_to_gate("fails").await;
    service.say(&failed, "fail no luck").await;
    let events = listener.until("TASK_FAILED", &failed).await;
    let data = &events.last().unwrap()["data"];
    let error = service.finished(&failed).await["error"].clone();
    assert_eq!(
        *data,
        json!({"task_id": failed, "error": error, "failure": "error"})
    );

    let aborted = service.submit_to_gate("is aborted").await;
    service.abort(&aborted).await.expect(200);
    let events = listener.until("TASK_ABORTED", &aborted).await;
    assert_eq!(events.last().unwrap()["data"], json!({"task_id": aborted}));

    service.pause().await;
    let purged = service.submit("is purged").await;
    service.purge().await;
    let events = listener.until("TASK_FAILED", &purged).await;
    let error = service.task(&purged).await["error"].clone();
    let data = &events.last().unwrap()["data"];
    assert_eq!(
        *data,
        json!({"task_id": purged, "error": error, "failure": "purged"})
    );
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_done_to_the_queue_is_told() {
    let service = Service::with_gates().await;
    let queue = "QUEUE_PAUSED,QUEUE_RESUMED,QUEUE_PURGED,EMERGENCY_STOP";
    let mut listener = service.listen(&format!("?types={queue}")).await;
    let mut next = async |kind: &str, fields: Value| {
        let event = listener.next_event().await;
        assert_eq!(event["type"], kind);
        for (name, value) in fields.as_object().unwrap() {
            assert_eq!(event["data"][name], *value, "{event}");
        }
    };
    service.submit_to_gate("runs").await;
    service.pause().await;
    next("QUEUE_PAUSED", json!({"active_tasks": 1})).await;
    let waiting = service.submit_to("gate", "waits").await;
    service.resume().await;
    next("QUEUE_RESUMED", json!({"pending_tasks": 1})).await;
    service.at_gate(&waiting).await;
    service.pause().await;
    next("QUEUE_PAUSED", json!({"active_tasks": 2})).await;
    service.submit("is purged").await;
    service.submit("is purged").await;
    service.submit("is purged").await;
    service.purge().await;
    next("QUEUE_PURGED", json!({"removed": 3, "active": 2})).await;
    service.submit("is purged").await;
    service.emergency_stop().await;
    next("EMERGENCY_STOP", json!({"cancelled": 2, "purged": 1})).await;
    service.ends_well().await;
}

#[tokio::test]
async fn filters_let_through_what_was_asked_for_and_nothing_else() {
    let setup = Setup::new().setting("max_concurrent_tasks", 1);
    let service = setup.start().await;
    service.pause().await;
    let (one, two) = (service.submit("one").await, service.submit("two").await);
    let mut by_type = service
        .listen("?types=TASK_COMPLETED,%20QUEUE_RESUMED")
        .await;
    let mut by_task = service.listen(&format!("?task_id={two}")).await;
    let mut by_both = service
        .listen(&format!("?task_id={one}&types=TASK_STARTED&since=0"))
        .await;
    service.resume().await;
    service.drained().await;

    let events = [
        by_type.next_event().await,
        by_type.next_event().await,
        by_type.next_event().await,
    ];
    let expected = [
        ("QUEUE_RESUMED".to_owned(), json!({"pending_tasks": 2})),
        (
            "TASK_COMPLETED".to_owned(),
            json!({"task_id": one, "result_length": 14}),
        ),
        (
            "TASK_COMPLETED".to_owned(),
            json!({"task_id": two, "result_length": 14}),
        ),
    ];
    assert_eq!(told(&events), expected);
    let types = [by_task.next_event().await, by_task.next_event().await];
    let types = types.map(|event| event["type"].clone());
    assert_eq!(types, ["TASK_STARTED", "TASK_COMPLETED"]);
    assert_eq!(
        by_both.next_event().await["data"],
        json!({"task_id": one, "attempt": 1})
    );

    // Whatever came through a filter that should not have would come before the farewell.
    service.terminate();
    for listener in [by_type, by_task, by_both] {
        let (rest, _) = listener.until_closed().await;
        assert_eq!(
            told(&rest),
            [("SYSTEM_LOG".to_owned(), json!({"level": "INFO"}))]
        );
    }
    service.ended().await.check().await;
}

#[tokio::test]
async fn bad_parameters_are_422() {
    let service = Service::start().await;
    for (query, name) in [
        ("?since=abc", "since"),
        ("?since=1.5", "since"),
        ("?since=9223372036854775808", "since"),
        ("?since=", "since"),
        ("?types=TASK_CREATED,NOTHING", "types"),
        ("?types=", "types"),
        ("?types=task_created", "types"),
        ("?task_id=42", "task_id"),
        ("?since=1&since=2", "since"),
    ] {
        let problem = service.get(&format!("/ws/events{query}")).await.problem();
        assert_eq!(problem["loc"], json!(["query", name]), "{query}");
    }
    let sentence = service.get("/ws/events").await.sentence(426);
    assert!(sentence.contains("WebSocket"), "{sentence}");
    service.ends_well().await;
}

#[tokio::test]
async fn listeners_are_told_of_a_stop_and_closed() {
    let service = Service::with_gates().await;
    let listeners = [
        service.listen("").await,
        service.listen("?types=TASK_FAILED").await,
        service.listen("?since=0").await,
    ];
    let id = service.submit_to_gate("interrupted").await;
    service.terminate();
    for (index, listener) in listeners.into_iter().enumerate() {
        let (events, close) = listener.until_closed().await;
        let farewell = events.last().expect("a farewell");
        assert_eq!(farewell["type"], "SYSTEM_LOG");
        assert_eq!(farewell["message"], "The service is shutting down");
        assert_eq!(u16::from(close.expect("a close frame").code), 1001);
        if index != 1 {
            // What the stop did to the running task is told before.
            let retrying = events.iter().find(|event| event["type"] == "TASK_RETRYING");
            let data = &retrying.expect("TASK_RETRYING")["data"];
            assert_eq!(
                (&data["task_id"], &data["attempt"]),
                (&json!(id), &json!(1))
            );
            assert!(
                data["run_at"].is_string() && data["error"].is_string(),
                "{data}"
            );
        }
    }
    service.ended().await.check().await;
}
