//! How many tasks run at once, and which of those that wait is next.

use serde_json::json;

use support::{Service, Setup, eventually};

/// Submits tasks to gates; their ids.
async fn submit_gates(service: &Service, processor: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(
            service
                .submit_to(processor, &format!("{processor} {n}"))
                .await,
        );
    }
    ids
}

async fn running(service: &Service, ids: &[String]) -> usize {
    let mut count = 0;
    for id in ids {
        count += usize::from(service.task(id).await["status"] == "PROCESSING");
    }
    count
}

#[tokio::test]
async fn five_tasks_run_at_a_time_in_order_of_arrival() {
    let service = Service::with_gates().await;
    let ids = submit_gates(&service, "gate", 8).await;
    for id in &ids[..5] {
        service.at_gate(id).await;
    }
    let status = service.queue_status().await;
    assert_eq!(
        (&status["processing"], &status["pending"]),
        (&json!(5), &json!(3))
    );
    for n in 0..3 {
        service.open_gate(&ids[n]).await;
        service.at_gate(&ids[5 + n]).await;
        assert_eq!(running(&service, &ids).await, 5);
    }
    for id in &ids[3..] {
        service.open_gate(id).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn the_limit_holds_when_many_submit_at_once_and_after_a_restart() {
    let service = Setup::new()
        .gates()
        .setting("max_concurrent_tasks", 3)
        .start()
        .await;
    let contents: Vec<_> = (0..40).map(|n| n.to_string()).collect();
    let submissions = contents.iter().map(|it| service.submit_to("gate", it));
    let ids = futures_util::future::join_all(submissions).await;
    eventually("three run", || async {
        (service.queue_status().await["processing"] == 3).then_some(())
    })
    .await;
    assert_eq!(running(&service, &ids).await, 3);
    let service = service.ends_well().await.start().await;
    eventually("three run again", || async {
        (service.queue_status().await["processing"] == 3).then_some(())
    })
    .await;
    let status = service.queue_status().await;
    assert_eq!(
        (&status["processing"], &status["pending"]),
        (&json!(3), &json!(37))
    );
    assert_eq!(status["limit"], 3);
    assert_eq!(running(&service, &ids).await, 3);
    service.ends_well().await;
}

#[tokio::test]
async fn a_processors_own_limit_holds_up_nobody_else() {
    let setup = Setup::new()
        .gates()
        .gate_processor("narrow", "concurrency = 2");
    let service = setup.start().await;
    let narrow = submit_gates(&service, "narrow", 6).await;
    let wide = submit_gates(&service, "gate", 6).await;
    for id in narrow[..2].iter().chain(&wide[..3]) {
        service.at_gate(id).await;
    }
    assert_eq!(running(&service, &narrow).await, 2);
    assert_eq!(running(&service, &wide).await, 3);

    // A free slot goes to the oldest task that may take it: the third of `narrow` may not.
    service.open_gate(&wide[0]).await;
    service.at_gate(&wide[3]).await;
    assert_eq!(running(&service, &narrow).await, 2);
    service.open_gate(&narrow[0]).await;
    service.at_gate(&narrow[2]).await;
    assert_eq!(running(&service, &narrow).await, 2);
    assert_eq!(service.queue_status().await["processing"], 5);
    service.ends_well().await;
}

#[tokio::test]
async fn without_limits_everything_runs_at_once() {
    let setup = Setup::new()
        .gates()
        .variable("ENABLE_QUEUE_LIMITS", "false");
    let service = setup.start().await;
    let ids = submit_gates(&service, "gate", 20).await;
    for id in &ids {
        service.at_gate(id).await;
    }
    let status = service.queue_status().await;
    assert_eq!(
        status,
        json!({"paused": false, "pending": 0, "active": 20, "processing": 20, "limit": null})
    );
    service.ends_well().await;
}

#[tokio::test]
async fn without_limits_a_processors_own_limit_still_holds() {
    let setup = Setup::new()
        .gate_processor("narrow", "concurrency = 1")
        .setting("enable_queue_limits", false);
    let service = setup.start().await;
    let ids = submit_gates(&service, "narrow", 3).await;
    service.at_gate(&ids[0]).await;
    assert_eq!(running(&service, &ids).await, 1);
    service.ends_well().await;
}

#[tokio::test]
async fn the_higher_priority_starts_first_and_the_older_among_equals() {
    let service = Setup::new()
        .gates()
        .setting("max_concurrent_tasks", 1)
        .start()
        .await;
    let gate = service.submit_to_gate("holds the slot").await;
    let mut ids = Vec::new();
    for priority in [0, -100, 7, 100, 0, 7] {
        let request = json!({"content": "in line", "priority": priority});
        ids.push(service.submit_json(&request).await);
    }
    let mut listener = service.listen("?types=TASK_STARTED").await;
    service.open_gate(&gate).await;
    let mut started = Vec::new();
    for _ in &ids {
        let event = listener.next_event().await;
        started.push(event["data"]["task_id"].as_str().unwrap().to_owned());
    }
    let expected = [3, 2, 5, 0, 4, 1].map(|n: usize| ids[n].clone());
    assert_eq!(started, expected);
    service.ends_well().await;
}

#[tokio::test]
async fn processors_are_listed_with_what_they_do() {
    let service = Setup::new()
        .gates()
        .table("[processors.held]\nkind = \"echo\"\nconcurrency = 1\nrate = \"100/h\"")
        .start()
        .await;
    let pause = json!({"processor": "held", "reason": "a walk"});
    let answer = service.post_json("/api/v1/queue/pause", &pause).await;
    answer.expect(200);
    submit_gates(&service, "held", 2).await;
    let running = service.submit_to("gate", "runs").await;
    service.at_gate(&running).await;

    let list = service.get("/api/v1/processors").await.expect(200);
    let idle = json!({"name": "echo", "kind": "echo", "running": 0, "pending": 0,
        "concurrency": null, "rate": null, "rate_frees_at": null, "paused": null});
    assert_eq!(list[0], idle);
    assert_eq!(
        (&list[1]["name"], &list[1]["kind"], &list[1]["running"]),
        (&json!("gate"), &json!("command"), &json!(1))
    );
    let held = &list[2];
    assert_eq!(
        (&held["name"], &held["pending"]),
        (&json!("held"), &json!(2))
    );
    assert_eq!(
        (&held["concurrency"], &held["rate"]),
        (&json!(1), &json!("100/h"))
    );
    assert_eq!(held["paused"]["reason"], "a walk");
    assert_eq!(list.as_array().unwrap().len(), 3);

    service.open_gate(&running).await;
    service.stop().await;
}
