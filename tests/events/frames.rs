//! Events are at most 1 MiB, whatever the texts in them: they are cut or split, and that is said.

use serde_json::{Value, json};

use support::{Listener, Service, SseEvent};

/// What Python's `websockets` takes, unless it is told otherwise.
const LIMIT_BYTES: usize = 1 << 20;

/// The frames up to the first of this type, each within the limit.
async fn frames_until(listener: &mut Listener, kind: &str) -> Vec<Value> {
    let mut events: Vec<Value> = Vec::new();
    while events.last().is_none_or(|last| last["type"] != kind) {
        let frame = listener.next_frame().await.expect("a frame before the end");
        assert!(
            frame.len() <= LIMIT_BYTES,
            "{} bytes: {}…",
            frame.len(),
            &frame[..300]
        );
        events.push(serde_json::from_str(&frame).expect("JSON"));
    }
    events
}

/// The task's own stream to its end, each event within the limit.
async fn followed(service: &Service, id: &str) -> Vec<SseEvent> {
    let events = service.follow(id, None).await.rest().await;
    for event in &events {
        assert!(
            event.bytes <= LIMIT_BYTES,
            "{} bytes of {}",
            event.bytes,
            event.event
        );
    }
    events
}

#[track_caller]
fn is_beginning(cut: &Value, whole: &str) {
    let cut = cut.as_str().expect("a text").strip_suffix('…');
    let cut = cut.expect("an ellipsis at the end");
    assert!(
        whole.starts_with(cut) && cut.len() > 20_000,
        "{} bytes",
        cut.len()
    );
}

#[tokio::test]
async fn an_error_that_is_too_long_for_an_event_is_cut_and_read_whole_elsewhere() {
    let service = Service::with_worker("max_attempts = 2\nbackoff = { first = 0 }").await;
    let mut listener = service.listen("").await;
    // Of these, some take two bytes in JSON, and some two by themselves.
    let error = "\\\"ż".repeat(700_000);
    let length = 3 * 700_000;
    let id = service.submit_to("outside", "x").await;
    let task = service.claim_one().await;
    let retried = json!({ "error": error, "retry": true });
    service.tell(&task, "fail", retried).await.expect(200);
    let live = frames_until(&mut listener, "TASK_RETRYING").await;
    let retrying = live.last().unwrap();
    assert_eq!(retrying["data"]["task_id"], id);
    assert_eq!(retrying["data"]["attempt"], 1);
    assert_eq!(retrying["data"]["truncated"]["error"], length);
    is_beginning(&retrying["data"]["error"], &error);

    let task = service.claim_one().await;
    let failed = json!({ "error": error, "retry": false });
    service.tell(&task, "fail", failed).await.expect(200);
    let live = frames_until(&mut listener, "TASK_FAILED").await;
    let failed = live.last().unwrap();
    assert_eq!(failed["data"]["failure"], "error");
    assert_eq!(failed["data"]["truncated"]["error"], length);
    // "Processing failed: …"
    assert_eq!(failed["data"]["truncated"]["message"], length + 19);
    is_beginning(&failed["data"]["error"], &error);

    let mut again = service.listen("?since=0").await;
    let replayed = frames_until(&mut again, "TASK_FAILED").await;
    assert_eq!(replayed.last().unwrap(), failed);

    let events = followed(&service, &id).await;
    let line = format!("Processing failed: {error}");
    let cut = events
        .iter()
        .find(|event| event.data["truncated"]["logs.0"] == length + 19);
    is_beginning(
        &cut.expect("an update with the line").data["logs"][0],
        &line,
    );
    assert_eq!(events.last().unwrap().event, "task_finished");

    let task = service.task(&id).await;
    assert_eq!(task["error"], error);
    assert_eq!(task["logs"].as_array().unwrap().last().unwrap(), &line);
    service.ends_well().await;
}

#[tokio::test]
async fn long_lines_and_results_are_cut_and_read_whole_elsewhere() {
    let service = Service::with_worker("").await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("outside", "x").await;
    let task = service.claim_one().await;
    let (line, result) = ("日".repeat(900_000), "\u{1b}".repeat(600_000));
    let said = service.tell(&task, "log", json!({ "line": line })).await;
    said.expect(200);
    let mut event = json!(null);
    while event["data"]["truncated"].is_null() {
        event = frames_until(&mut listener, "TASK_LOG").await.pop().unwrap();
    }
    let lengths = json!({ "message": 900_000, "line": 900_000 });
    assert_eq!(event["data"]["truncated"], lengths);
    is_beginning(&event["data"]["line"], &line);
    is_beginning(&event["message"], &line);
    service.complete(&task, &result).await;

    let events = followed(&service, &id).await;
    let last = events.last().unwrap();
    assert_eq!(last.event, "task_finished");
    assert_eq!(last.data["status"], "COMPLETED");
    assert_eq!(last.data["truncated"], json!({ "result": 600_000 }));
    is_beginning(&last.data["result"], &result);
    assert!(
        events
            .iter()
            .any(|event| event.data["truncated"]["logs.0"] == 900_000)
    );

    assert_eq!(service.task(&id).await["result"], result);
    let logs = service
        .get(&format!("/api/v1/tasks/{id}/logs"))
        .await
        .expect(200);
    let logs = logs.as_array().unwrap();
    assert!(logs.iter().any(|said| said["line"] == line));
    service.ends_well().await;
}

#[tokio::test]
async fn many_lines_are_split_over_several_events() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "x").await;
    let task = service.claim_one().await;
    let lines: Vec<_> = (0..900)
        .map(|n| format!("{n} {}", "\"".repeat(2_000)))
        .collect();
    for lines in lines.chunks(300) {
        let said = service.tell(&task, "log", json!({ "lines": lines })).await;
        said.expect(200);
    }
    service.complete(&task, "done").await;
    let events = followed(&service, &id).await;
    let told = events
        .iter()
        .flat_map(|event| event.data["logs"].as_array().unwrap().clone());
    let told: Vec<_> = told
        .filter(|line| line.as_str().unwrap().contains('"'))
        .collect();
    assert!(
        json!(told) == json!(lines),
        "{} of {} lines",
        told.len(),
        lines.len()
    );
    assert!(events.iter().all(|event| event.data["truncated"].is_null()));
    service.ends_well().await;
}

#[tokio::test]
async fn what_other_programs_write_is_cut_too() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "x").await;
    let mut database = service.database().await;
    let row = format!(
        "INSERT INTO logs (task_id, type, agent, data)
         SELECT '{id}', 'TASK_OUTPUT', hex(zeroblob(400000)),
                json_object('text', hex(zeroblob(400000)), 'more', json_group_array(value))
           FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 100000)
                 SELECT value FROM n)"
    );
    database.run(&row).await.expect("a row");
    let mut listener = service.listen("?since=0").await;
    let events = frames_until(&mut listener, "TASK_OUTPUT").await;
    let data = &events.last().unwrap()["data"];
    assert_eq!(*data, json!({ "task_id": id, "truncated": true }));
    service.ends_well().await;
}
