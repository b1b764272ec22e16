//! `GET /api/v1/tasks/{id}/stream`: one task as server-sent events, to its end.

use reqwest::Method;
use serde_json::{Value, json};

use support::{Answer, Service, Setup, SseEvent, SseStream};

fn check_shape(event: &SseEvent, task_id: &str) {
    let keys: Vec<_> = event.data.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["task_id", "status", "logs", "result", "timestamp"]);
    assert_eq!(event.data["task_id"], task_id);
    let timestamp = event.data["timestamp"].as_str().unwrap();
    assert!(
        timestamp.len() == 27 && timestamp.ends_with('Z'),
        "{timestamp}"
    );
}

/// The lines of all updates up to one that satisfies `last`.
async fn lines_until(stream: &mut SseStream, last: impl Fn(&SseEvent) -> bool) -> Vec<Value> {
    let mut lines = Vec::new();
    loop {
        let event = stream.next().await.expect("more events");
        assert_eq!(event.event, "task_update");
        lines.extend(event.data["logs"].as_array().unwrap().iter().cloned());
        if last(&event) {
            return lines;
        }
    }
}

fn says(event: &SseEvent, line: &str) -> bool {
    let lines = event.data["logs"].as_array().unwrap();
    lines.last().is_some_and(|last| last == line)
}

#[tokio::test]
async fn a_finished_task_is_one_update_and_the_end() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    let task = service.finished(&id).await;
    let events = service.follow(&id, None).await.rest().await;
    let names: Vec<_> = events.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["task_update", "task_finished"]);
    for event in &events {
        check_shape(event, &id);
        assert_eq!(event.data["status"], "COMPLETED");
        assert_eq!(event.data["result"], "Processed: hello");
    }
    // Who knows of the update alone comes back for the end.
    let ids: Vec<_> = events.iter().map(|event| event.id.as_deref()).collect();
    assert_eq!(ids, [Some("2"), Some("3")]);
    let again = service.follow(&id, Some("2")).await.rest().await;
    assert_eq!(again[0].data["logs"], json!([task["logs"][2]]));
    assert_eq!(again[1].event, "task_finished");
    assert_eq!(events[0].data["logs"], task["logs"]);
    assert_eq!(events[1].data["logs"], json!([]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_client_that_knows_the_end_is_answered_that_there_is_no_more() {
    let service = Service::with_gates().await;
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let events = service.follow(&id, None).await.rest().await;
    let last = events.last().unwrap().id.clone().unwrap();
    let path = format!("/api/v1/tasks/{id}/stream");
    let again = async |last: &str| {
        let request = service.request(Method::GET, &path);
        Answer::of(request.header("last-event-id", last)).await
    };
    let answer = again(&last).await;
    assert_eq!((answer.status, answer.text()), (204, ""));
    // Who does not know all of it gets the rest, and the end.
    let events = service.follow(&id, Some("1")).await.rest().await;
    assert_eq!(events.last().unwrap().event, "task_finished");

    // A task that runs goes on, and one that runs again too.
    let id = service.submit_to_gate("knock").await;
    let mut stream = service.follow(&id, None).await;
    let first = stream.next().await.unwrap();
    let mut stream = service.follow(&id, first.id.as_deref()).await;
    service.say(&id, "end").await;
    stream.next().await.expect("more events");
    service.ends_well().await;
}

#[tokio::test]
async fn updates_come_as_the_task_runs_each_line_once() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("knock").await;
    let mut stream = service.follow(&id, None).await;
    let first = stream.next().await.unwrap();
    check_shape(&first, &id);
    assert_eq!(first.data["status"], "PROCESSING");
    assert_eq!(first.data["result"], Value::Null);
    let mut lines = first.data["logs"].as_array().unwrap().clone();
    service.say(&id, "one").await;
    lines.extend(lines_until(&mut stream, |event| says(event, "one")).await);
    service.say(&id, "two").await;
    service.say(&id, "three").await;
    lines.extend(lines_until(&mut stream, |event| says(event, "three")).await);
    let task = service.open_gate(&id).await;

    let rest = stream.rest().await;
    let (finished, updates) = rest.split_last().expect("an end");
    for update in updates {
        assert_eq!(update.event, "task_update");
        lines.extend(update.data["logs"].as_array().unwrap().iter().cloned());
    }
    assert_eq!(finished.event, "task_finished");
    assert_eq!(finished.data["status"], "COMPLETED");
    assert_eq!(finished.data["result"], task["result"]);
    assert_eq!(json!(lines), task["logs"]);
    service.ends_well().await;
}

#[tokio::test]
async fn last_event_id_goes_on_where_the_last_stream_broke() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("knock").await;
    let mut stream = service.follow(&id, None).await;
    service.say(&id, "seen").await;
    let last = loop {
        let event = stream.next().await.unwrap();
        if says(&event, "seen") {
            break event.id.expect("an id");
        }
    };
    drop(stream);
    service.say(&id, "missed").await;
    let task = service.open_gate(&id).await;
    let events = service.follow(&id, Some(&last)).await.rest().await;
    let lines: Vec<_> = events
        .iter()
        .flat_map(|event| event.data["logs"].as_array().unwrap().clone())
        .collect();
    let all = task["logs"].as_array().unwrap();
    let after = all.iter().position(|line| line == "missed").unwrap();
    assert_eq!(lines, all[after..]);

    service.ends_well().await;
}

#[tokio::test]
async fn a_last_event_id_that_is_none_is_422() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let request = service.request(Method::GET, &format!("/api/v1/tasks/{id}/stream"));
    let problem = Answer::of(request.header("Last-Event-ID", "abc"))
        .await
        .problem();
    assert_eq!(problem["loc"], json!(["header", "Last-Event-ID"]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_waits_streams_from_its_submission_to_its_end() {
    let service = Service::start().await;
    service.pause().await;
    let id = service.submit("waits").await;
    let mut stream = service.follow(&id, None).await;
    let first = stream.next().await.unwrap();
    assert_eq!(first.data["status"], "PENDING");
    service.purge().await;
    let rest = stream.rest().await;
    let finished = rest.last().unwrap();
    assert_eq!(finished.event, "task_finished");
    assert_eq!(finished.data["status"], "FAILED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_is_deleted_meanwhile_is_missing() {
    let service = Service::start().await;
    service.pause().await;
    let id = service.submit("is deleted").await;
    let mut stream = service.follow(&id, None).await;
    stream.next().await.unwrap();
    let mut database = service.database().await;
    database
        .run(&format!("DELETE FROM tasks WHERE id = '{id}'"))
        .await
        .unwrap();
    let rest = stream.rest().await;
    let names: Vec<_> = rest.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(names, ["task_missing"]);
    assert_eq!(rest[0].data["task_id"], id);
    service
        .get(&format!("/api/v1/tasks/{id}"))
        .await
        .sentence(404);
    service.ends_well().await;
}

#[tokio::test]
async fn a_silent_stream_says_that_it_is_alive_and_is_not_idle() {
    let setup = Setup::new().gates().setting("idle_timeout", 1);
    let service = setup.start().await;
    let mut listener = service.listen("?types=TASK_COMPLETED").await;
    let id = service.submit_to_gate("takes its time").await;
    let mut stream = service.follow(&id, None).await;
    let beat = loop {
        let event = stream.next().await.unwrap();
        if event.event != "task_update" {
            break event;
        }
    };
    assert_eq!(beat.event, "heartbeat");
    assert_eq!(beat.data["task_id"], id);
    service.open_gate(&id).await;
    assert_eq!(stream.rest().await.last().unwrap().event, "task_finished");
    assert_eq!(listener.next_event().await["data"]["task_id"], id);
    service.ends_well().await;
}

#[tokio::test]
async fn streams_end_when_the_service_stops() {
    let service = Service::start().await;
    service.pause().await;
    let id = service.submit("waits").await;
    let mut stream = service.follow(&id, None).await;
    stream.next().await.unwrap();
    service.terminate();
    assert_eq!(stream.next().await, None);
    service.ended().await.check().await;
}

#[tokio::test]
async fn a_reader_of_lines_finds_the_names_of_the_original() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    service.finished(&id).await;
    let request = service.request(Method::GET, &format!("/api/v1/tasks/{id}/stream"));
    let response = request.send().await.expect("an answer");
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["cache-control"], "no-cache");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let text = response.text().await.expect("a stream");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "event:task_update", "{text}");
    assert!(lines.contains(&"event:task_finished"), "{text}");
    service.ends_well().await;
}
