//! Tasks of a `hive` processor while Redis does not answer: they wait, and disturb nobody.

use serde_json::json;

use support::{Service, Setup};

/// Port 1, where nothing listens.
fn setup() -> Setup {
    Setup::new()
        .setting("redis_host", "\"127.0.0.1\"")
        .setting("redis_port", 1)
        .table("[processors.far]\nkind = \"hive\"\nfunction = \"f\"")
}

/// The answer of `explain` for a task that waits: its only reason, and the sentence of that.
async fn reason(service: &Service, id: &str) -> (serde_json::Value, String) {
    let path = format!("/api/v1/tasks/{id}/explain");
    let explained = service.get(&path).await.expect(200);
    assert_eq!(explained["status"], "PENDING");
    let reasons = explained["reasons"].as_array().expect("a list");
    assert_eq!(reasons.len(), 1, "{explained}");
    let message = reasons[0]["message"].as_str().expect("a sentence");
    (reasons[0].clone(), message.to_owned())
}

#[tokio::test]
async fn tasks_wait_at_no_cost_and_others_run() {
    let setup = setup().setting("enable_hive", true);
    let service = setup.setting("max_concurrent_tasks", 1).start().await;
    let waiting = [
        service.submit_to("far", "one").await,
        service.submit_to("far", "two").await,
    ];
    for content in ["a", "b", "c"] {
        let id = service.submit(content).await;
        assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    }
    for id in &waiting {
        let task = service.task(id).await;
        assert_eq!(
            (&task["status"], &task["attempt"]),
            (&json!("PENDING"), &json!(0))
        );
        let (reason, message) = reason(&service, id).await;
        assert_eq!(
            (&reason["type"], &reason["state"]),
            (&json!("hive_away"), &json!("away"))
        );
        assert!(message.contains("unreachable"), "{message}");
    }
    let status = service.queue_status().await;
    assert_eq!(
        (&status["pending"], &status["active"]),
        (&json!(2), &json!(0))
    );
    assert_eq!(status["hive"]["state"], "away");
    // The service takes tasks all the same.
    let ready = service.get("/readyz").await.expect(200);
    assert_eq!(ready["status"], "ready");
    assert_eq!(ready["hive"]["state"], "away");
    assert!(ready["hive"]["reason"].is_string() && ready["hive"]["since"].is_string());
    let purged = service.purge().await;
    assert_eq!(purged["removed"], 2);
}

#[tokio::test]
async fn without_the_hive_its_tasks_wait_and_nothing_is_said_of_it() {
    let service = setup().start().await;
    let id = service.submit_to("far", "one").await;
    let (reason, message) = reason(&service, &id).await;
    assert_eq!(reason["type"], "hive_away");
    assert!(message.contains("enable_hive"), "{message}");
    assert_eq!(service.queue_status().await.get("hive"), None);
    assert_eq!(
        service.get("/readyz").await.expect(200),
        json!({ "status": "ready" })
    );
}

#[tokio::test]
async fn a_task_may_wait_for_the_hive_behind_a_pause() {
    let service = setup().setting("enable_hive", true).start().await;
    let id = service.submit_to("far", "one").await;
    service.pause().await;
    let path = format!("/api/v1/tasks/{id}/explain");
    let explained = service.get(&path).await.expect(200);
    let types = explained["reasons"].as_array().expect("a list").iter();
    let types: Vec<_> = types.map(|reason| &reason["type"]).collect();
    assert_eq!(types, ["paused", "hive_away"]);
}
