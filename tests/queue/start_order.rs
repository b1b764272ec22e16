//! What starts next: the most urgent, then the longest due, then the first come, of what may start.

use serde_json::{Value, json};

use support::{Service, Setup, eventually};

fn gates() -> Setup {
    Setup::new().gates().setting("max_concurrent_tasks", 1)
}

async fn explain(service: &Service, id: &str) -> Value {
    let answer = service.get(&format!("/api/v1/tasks/{id}/explain")).await;
    answer.expect(200)
}

fn reasons(explained: &Value) -> Vec<&str> {
    let reasons = explained["reasons"].as_array().expect("reasons");
    reasons
        .iter()
        .map(|it| it["type"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn by_priority_then_by_due_time_then_by_arrival() {
    let service = gates().start().await;
    let first = service.submit_to_gate("first").await;
    let mut ids = Vec::new();
    for (priority, run_at) in [
        (0, "2001-01-01T00:00:00Z"),
        (0, "2000-01-01T00:00:00Z"),
        (0, "2000-01-01T00:00:00Z"),
        (5, "2002-01-01T00:00:00Z"),
        (-5, "1999-01-01T00:00:00Z"),
    ] {
        let task = json!({
            "content": "", "processor": "gate", "priority": priority, "run_at": run_at,
        });
        ids.push(service.submit_json(&task).await);
    }
    for (place, index) in [3, 1, 2, 0, 4].into_iter().enumerate() {
        let explained = explain(&service, &ids[index]).await;
        assert_eq!(explained["place_in_line"], json!(place + 1), "{explained}");
        assert_eq!(reasons(&explained), ["no_free_slot"]);
        assert_eq!(explained["reasons"][0]["running"], json!([first]));
    }
    service.open_gate(&first).await;
    for index in [3, 1, 2, 0, 4] {
        service.at_gate(&ids[index]).await;
        service.open_gate(&ids[index]).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_not_due_waits_and_holds_up_nobody() {
    let service = gates().start().await;
    let far = json!({
        "content": "", "processor": "gate", "priority": 100, "run_at": "2999-01-01T00:00:00Z",
    });
    let far = service.submit_json(&far).await;
    let delayed = json!({"content": "", "processor": "gate", "priority": 50, "delay": 3600});
    let delayed = service.submit_json(&delayed).await;
    let now = service.submit_to_gate("now").await;
    for id in [&far, &delayed] {
        assert_eq!(service.task(id).await["status"], "PENDING");
        let explained = explain(&service, id).await;
        assert!(reasons(&explained).contains(&"not_due"), "{explained}");
        assert_eq!(explained["place_in_line"], Value::Null);
    }
    let soon = json!({"content": "", "processor": "gate", "delay": 0.3});
    let soon = service.submit_json(&soon).await;
    service.open_gate(&now).await;
    service.at_gate(&soon).await;
    let row = format!("SELECT started_at >= run_at FROM tasks WHERE id = '{soon}'");
    assert_eq!(service.database().await.number(&row).await, 1);
    service.open_gate(&soon).await;
    let service = service.ends_well().await.start().await;
    assert_eq!(
        service.task(&far).await["run_at"],
        "2999-01-01T00:00:00.000000Z"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn what_was_read_ahead_gives_way_to_what_is_more_urgent() {
    let service = gates().start().await;
    let mut line = Vec::new();
    for n in 0..20 {
        line.push(service.submit_to("gate", &format!("in line {n}")).await);
    }
    // More is read ahead with each turn in which all that was known is used.
    for id in &line[..9] {
        service.open_gate(id).await;
    }
    service.at_gate(&line[9]).await;
    let urgent = json!({"content": "", "processor": "gate", "priority": 5});
    let urgent = service.submit_json(&urgent).await;
    let later = json!({"content": "", "processor": "gate", "priority": 9, "delay": 0.3});
    let later = service.submit_json(&later).await;
    service.open_gate(&line[9]).await;
    service.at_gate(&urgent).await;
    eventually("the other is due", || async {
        let explained = explain(&service, &later).await;
        (!reasons(&explained).contains(&"not_due")).then_some(())
    })
    .await;
    service.open_gate(&urgent).await;
    service.at_gate(&later).await;
    service.open_gate(&later).await;
    for id in &line[10..] {
        service.at_gate(id).await;
        service.open_gate(id).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_flood_of_one_processor_starves_no_other() {
    let setup = Setup::new()
        .gate_processor("flood", "concurrency = 1")
        .gates();
    let service = setup.start().await;
    let task = json!({"content": "", "processor": "flood", "priority": 100});
    let tasks = vec![task; 500];
    let answer = service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await;
    let flood = answer.expect(201)["task_ids"].clone();
    service.at_gate(flood[0].as_str().unwrap()).await;
    let other = service.submit_to_gate("another").await;
    let explained = explain(&service, flood[499].as_str().unwrap()).await;
    assert_eq!(reasons(&explained), ["processor_limit"]);
    assert_eq!(explained["reasons"][0]["running"], json!([flood[0]]));
    assert_eq!(explained["place_in_line"], 499);
    service.open_gate(&other).await;
    service.purge().await;
    service.open_gate(flood[0].as_str().unwrap()).await;
    service.ends_well().await;
}

#[tokio::test]
async fn wrong_times_are_422_and_name_the_field() {
    let service = Service::start().await;
    for (name, value, kind) in [
        ("delay", json!(-1), "float_range"),
        ("delay", json!("soon"), "float_range"),
        ("delay", json!(1e18), "float_range"),
        ("run_at", json!("tomorrow"), "datetime_parsing"),
        ("run_at", json!(5), "datetime_parsing"),
        ("timeout", json!(0), "float_range"),
        ("max_attempts", json!(0), "int_range"),
        ("max_attempts", json!(1.5), "int_range"),
        ("concurrency_key", json!(""), "string_type"),
        ("unique_key", json!("x".repeat(1001)), "string_type"),
        ("after", json!(["nobody"]), "uuid_parsing"),
        ("after", json!("nobody"), "uuid_parsing"),
    ] {
        let mut task = json!({"content": "x"});
        task[name] = value;
        let problem = service.post_json("/api/v1/tasks", &task).await.problem();
        assert_eq!(problem["loc"], json!(["body", name]), "{problem}");
        assert_eq!(problem["type"], kind, "{problem}");
    }
    let both = json!({"content": "x", "delay": 5, "run_at": "2999-01-01T00:00:00Z"});
    let problem = service.post_json("/api/v1/tasks", &both).await.problem();
    assert_eq!(problem["loc"], json!(["body", "run_at"]));
    assert_eq!(service.get("/api/v1/tasks").await.text(), "[]");
    service.ends_well().await;
}
