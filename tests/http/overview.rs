//! What dashboards ask: counts, the pause that holds, what the files take, what waits for a task.

use serde_json::{Value, json};

use support::{Service, Setup};

async fn overview(service: &Service) -> Value {
    service.get("/api/v1/overview").await.expect(200)
}

#[tokio::test]
async fn counts_are_those_of_each_status() {
    let setup = Setup::new().gates();
    let service = setup.setting("max_concurrent_tasks", 1).start().await;
    let none = json!({"PENDING": 0, "PROCESSING": 0, "COMPLETED": 0, "FAILED": 0});
    assert_eq!(overview(&service).await["tasks"], none);
    for outcome in ["open", "open", "fail because"] {
        let id = service.submit_to_gate("x").await;
        service.say(&id, outcome).await;
        service.finished(&id).await;
    }
    let running = service.submit_to_gate("runs").await;
    for _ in 0..4 {
        service.submit("waits").await;
    }
    let some = json!({"PENDING": 4, "PROCESSING": 1, "COMPLETED": 2, "FAILED": 1});
    let now = overview(&service).await;
    assert_eq!(now["tasks"], some);
    assert_eq!(now["queue"], service.queue_status().await);
    service.open_gate(&running).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_pause_is_told_with_its_reason_and_an_emergency_stop_as_one() {
    let service = Service::start().await;
    assert_eq!(overview(&service).await["pause"], Value::Null);
    let pause = json!({"reason": "lunch", "until": "2999-01-01T00:00:00Z"});
    service
        .post_json("/api/v1/queue/pause", &pause)
        .await
        .expect(200);
    let told = overview(&service).await["pause"].clone();
    assert_eq!(told["reason"], "lunch");
    assert_eq!(told["until"], "2999-01-01T00:00:00.000000Z");
    assert_eq!(told.get("emergency_stop"), None);
    service.resume().await;
    service
        .post("/api/v1/queue/emergency-stop")
        .await
        .expect(200);
    let told = overview(&service).await["pause"].clone();
    assert_eq!(told["emergency_stop"], true);
    assert!(told["since"].is_string(), "{told}");
    service.resume().await;
    assert_eq!(overview(&service).await["pause"], Value::Null);
    service.ends_well().await;
}

#[tokio::test]
async fn storage_tells_sizes_the_oldest_task_and_what_is_kept() {
    let setup = Setup::new().setting("retention_failed", "\"1d\"");
    let service = setup.start().await;
    let storage = service.get("/api/v1/storage").await.expect(200);
    assert_eq!(storage["oldest_task"], Value::Null);
    assert_eq!(storage["retention_completed"], Value::Null);
    assert_eq!(storage["retention_failed"], json!(86400.0));
    let oldest = service.submit("first").await;
    service.submit("second").await;
    let task = service.finished(&oldest).await;
    let storage = service.get("/api/v1/storage").await.expect(200);
    let expected = json!({"id": oldest, "created_at": task["created_at"]});
    assert_eq!(storage["oldest_task"], expected);
    let mut database = service.database().await;
    let pages = database.number("PRAGMA page_count").await;
    let page = database.number("PRAGMA page_size").await;
    assert_eq!(storage["database_bytes"], json!(pages * page));
    assert!(storage["wal_bytes"].as_u64() > Some(0), "{storage}");
    service.ends_well().await;
}

#[tokio::test]
async fn downstream_names_those_that_still_wait() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let path = format!("/api/v1/tasks/{first}/downstream");
    assert_eq!(service.get(&path).await.expect(200), json!([]));
    let then = service
        .submit_json(&json!({"content": "then", "after": [first]}))
        .await;
    let waiting = json!([{"id": then, "status": "PENDING", "processor": "echo"}]);
    assert_eq!(service.get(&path).await.expect(200), waiting);
    service.open_gate(&first).await;
    service.finished(&then).await;
    assert_eq!(service.get(&path).await.expect(200), json!([]));
    let nobody = "/api/v1/tasks/00000000-0000-4000-8000-000000000000/downstream";
    assert_eq!(service.get(nobody).await.sentence(404), "Task not found");
    service.ends_well().await;
}
