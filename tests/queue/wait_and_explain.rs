//! `?wait=`, one task's log lines, and why a task does not run.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use support::{Answer, Service, in_time};

#[tokio::test]
async fn a_create_that_waits_answers_with_the_finished_task() {
    let service = Service::with_gates().await;
    let task = json!({"content": "hello"});
    let done = service
        .post_json("/api/v1/tasks?wait=60", &task)
        .await
        .expect(200);
    assert_eq!(
        (&done["status"], &done["result"]),
        (&json!("COMPLETED"), &json!("Processed: hello"))
    );
    let task = json!({"content": "", "processor": "gate"});
    let waits = service
        .post_json("/api/v1/tasks?wait=0.1", &task)
        .await
        .expect(202);
    assert_eq!(waits["status"], "PROCESSING");
    let id = waits["id"].as_str().unwrap();
    let path = format!("/api/v1/tasks/{id}?wait=60");
    let (found, _) = tokio::join!(service.get(&path), service.open_gate(id));
    assert_eq!(found.expect(200)["status"], "COMPLETED");
    // A finished one is answered at once.
    let path = format!("/api/v1/tasks/{id}?wait=3600");
    in_time("an answer", service.get(&path)).await.expect(200);
    for wrong in ["-1", "3601", "long", "NaN", ""] {
        let answer = service
            .get(&format!("/api/v1/tasks/{id}?wait={wrong}"))
            .await;
        assert_eq!(answer.problem()["loc"], json!(["query", "wait"]), "{wrong}");
    }
    let nobody = "/api/v1/tasks/00000000-0000-4000-8000-000000000000?wait=60";
    assert_eq!(service.get(nobody).await.sentence(404), "Task not found");
    service.ends_well().await;
}

#[tokio::test]
async fn thousands_may_wait_and_a_stop_lets_them_go() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let second = service.submit_to_gate("second").await;
    let waiter = |id: &str| {
        let request = service.request(Method::GET, &format!("/api/v1/tasks/{id}?wait=3000"));
        tokio::spawn(Answer::of(request))
    };
    let early: Vec<_> = (0..1000).map(|_| waiter(&first)).collect();
    let late: Vec<_> = (0..50).map(|_| waiter(&second)).collect();
    let left = service.submit("goes on beside them").await;
    service.finished(&left).await;
    service.open_gate(&first).await;
    for answer in in_time("all are answered", join_all(early)).await {
        assert_eq!(answer.unwrap().expect(200)["status"], "COMPLETED");
    }
    let (stopped, answers) = tokio::join!(service.stop(), join_all(late));
    for answer in answers {
        assert_eq!(answer.unwrap().expect(200)["status"], "PENDING");
    }
    stopped.check().await;
}

#[tokio::test]
async fn a_tasks_lines_come_with_ids_and_times_and_in_pages() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("x").await;
    for word in ["one", "two", "three"] {
        service.say(&id, word).await;
    }
    let task = service.open_gate(&id).await;
    let all = service
        .get(&format!("/api/v1/tasks/{id}/logs"))
        .await
        .expect(200);
    let all = all.as_array().unwrap();
    let lines: Vec<_> = all.iter().map(|line| line["line"].clone()).collect();
    assert_eq!(json!(lines), task["logs"]);
    assert_eq!(all[2]["agent"], "gate");
    assert_eq!(all[2]["type"], "TASK_LOG");
    let mut paged: Vec<Value> = Vec::new();
    loop {
        let since = paged.last().map_or(0, |line| line["id"].as_i64().unwrap());
        let path = format!("/api/v1/tasks/{id}/logs?since={since}&limit=2");
        let page = service.get(&path).await.expect(200);
        let page = page.as_array().unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 2);
        paged.extend(page.iter().cloned());
    }
    assert_eq!(&paged, all);
    let part = async |query: &str| {
        let path = format!("/api/v1/tasks/{id}/logs?{query}");
        service.get(&path).await.expect(200)
    };
    let last = &all[all.len() - 2..];
    assert_eq!(part("tail=true&limit=2").await, json!(last));
    assert_eq!(part("tail=true").await, json!(all));
    let since = format!("tail=true&since={}", last[0]["id"]);
    assert_eq!(part(&since).await, json!([last[1]]));
    let steps = all.iter().filter(|line| line["type"] != "TASK_LOG");
    let steps: Vec<_> = steps.collect();
    assert!(steps.len() >= 2 && steps.len() < all.len());
    assert_eq!(part("steps=true").await, json!(steps));
    let end = &steps[steps.len() - 1..];
    assert_eq!(part("steps=true&tail=true&limit=1").await, json!(end));
    for wrong in [
        "since=x",
        "limit=0",
        "limit=10001",
        "page=1",
        "tail=2",
        "steps=",
    ] {
        let answer = service
            .get(&format!("/api/v1/tasks/{id}/logs?{wrong}"))
            .await;
        answer.problem();
    }
    service.ends_well().await;
}

#[tokio::test]
async fn every_state_has_an_explanation() {
    let service = Service::with_gates().await;
    let explain = |id: &str| {
        let path = format!("/api/v1/tasks/{id}/explain");
        let service = &service;
        async move { service.get(&path).await.expect(200) }
    };
    let id = service.submit_to_gate("x").await;
    let message = explain(&id).await["message"].to_string();
    assert!(message.contains("attempt 1"), "{message}");
    service.say(&id, "fail because").await;
    service.finished(&id).await;
    assert_eq!(explain(&id).await["message"], "It has FAILED: because");
    let body = json!({"reason": "lunch"});
    service
        .post_json("/api/v1/queue/pause", &body)
        .await
        .expect(200);
    let waiting = service.submit("x").await;
    let why = explain(&waiting).await;
    assert_eq!(why["reasons"][0]["type"], "paused");
    assert_eq!(why["reasons"][0]["reason"], "lunch");
    assert!(
        why["message"].as_str().unwrap().contains("(lunch)"),
        "{why}"
    );
    assert_eq!(why["place_in_line"], 1);
    let insert = "INSERT INTO tasks(content, processor) VALUES ('lost', 'nobody')";
    service.database().await.run(insert).await.unwrap();
    let lost = service
        .database()
        .await
        .text("SELECT id FROM tasks WHERE content = 'lost'")
        .await;
    assert_eq!(explain(&lost).await["reasons"][0]["type"], "no_processor");
    service.resume().await;
    service.finished(&waiting).await;
    assert_eq!(explain(&waiting).await["message"], "It is COMPLETED.");
    service.ends_well().await;
}
