//! Limits of processors and concurrency keys: how many at a time, how many starts in a period.

use serde_json::{Value, json};

use support::{Answer, Service, Setup, eventually};

async fn submit(service: &Service, processor: &str, key: &str) -> String {
    let task = json!({"content": "", "processor": processor, "concurrency_key": key});
    service.submit_json(&task).await
}

async fn reasons(service: &Service, id: &str) -> Vec<Value> {
    let explained = service
        .get(&format!("/api/v1/tasks/{id}/explain"))
        .await
        .expect(200);
    explained["reasons"].as_array().unwrap().clone()
}

#[tokio::test]
async fn tasks_of_one_key_run_one_at_a_time_and_keys_beside_each_other() {
    let service = Service::with_gates().await;
    let mut ids = Vec::new();
    for key in ["a", "a", "a", "b", "b"] {
        ids.push(submit(&service, "gate", key).await);
    }
    for index in [0, 3] {
        service.at_gate(&ids[index]).await;
    }
    let why = reasons(&service, &ids[1]).await;
    assert_eq!(why[0]["type"], "key_limit");
    assert_eq!(why[0]["limit"], 1);
    assert_eq!(why[0]["running"], json!([ids[0]]));
    assert_eq!(service.queue_status().await["processing"], 2);
    for (done, next) in [(0, 1), (3, 4), (1, 2)] {
        service.open_gate(&ids[done]).await;
        service.at_gate(&ids[next]).await;
    }
    assert_eq!(service.queue_status().await["processing"], 2);
    for id in [&ids[2], &ids[4]] {
        service.open_gate(id).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_key_has_the_limits_of_its_table_also_after_a_restart() {
    let setup = Setup::new().gates().table(
        "[concurrency_keys.wide]\nconcurrency = 3\n[concurrency_keys.\"*\"]\nconcurrency = 2",
    );
    let service = setup.start().await;
    let mut wide = Vec::new();
    let mut other = Vec::new();
    for _ in 0..4 {
        wide.push(submit(&service, "gate", "wide").await);
        other.push(submit(&service, "gate", "other").await);
    }
    for id in wide[..3].iter().chain(&other[..2]) {
        service.at_gate(id).await;
    }
    assert_eq!(service.queue_status().await["processing"], 5);
    let service = service.ends_well().await.start().await;
    for id in wide[..3].iter().chain(&other[..2]) {
        service.at_gate_again(id, 2).await;
    }
    assert_eq!(service.queue_status().await["processing"], 5);
    service.emergency_stop().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_flood_of_one_key_starves_no_other() {
    let service = Service::with_gates().await;
    let task =
        json!({"content": "", "processor": "gate", "concurrency_key": "flood", "priority": 9});
    let flood = json!({"tasks": vec![task; 300]});
    let flood = service
        .post_json("/api/v1/tasks/batch", &flood)
        .await
        .expect(201);
    service
        .at_gate(flood["task_ids"][0].as_str().unwrap())
        .await;
    let other = submit(&service, "gate", "other").await;
    service.at_gate(&other).await;
    service.emergency_stop().await;
    service.ends_well().await;
}

#[tokio::test]
async fn many_keys_are_all_served_in_order_of_priority() {
    let setup = Setup::new().gates().setting("max_concurrent_tasks", 1);
    let service = setup.start().await;
    let first = service.submit_to_gate("first").await;
    let tasks: Vec<_> = (0..600)
        .map(|n| json!({"content": format!("{n}"), "concurrency_key": format!("key {n}"), "priority": n % 7}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await
        .expect(201);
    // The fronts of so many keys are looked up by and by.
    service.open_gate(&first).await;
    service.drained().await;
    let done = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED'";
    assert_eq!(service.database().await.number(done).await, 601);
    service.ends_well().await;
}

#[tokio::test]
async fn of_many_keys_the_most_urgent_start_first_also_after_a_restart() {
    let service = Setup::new()
        .setting("max_concurrent_tasks", 1)
        .start()
        .await;
    service.pause().await;
    let task = |n: i64| json!({"content": "", "concurrency_key": format!("key {n}"), "priority": n / 5 - 100});
    let tasks: Vec<_> = (0..1005).map(task).collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await
        .expect(201);
    let service = service.ends_well().await.start().await;
    service.resume().await;
    service.drained().await;
    let started = "SELECT priority FROM logs JOIN tasks ON tasks.id = task_id
                    WHERE type = 'TASK_STARTED' ORDER BY logs.id";
    let rows = service.database().await.rows(started).await;
    let started: Vec<i64> = rows.iter().map(|row| sqlx::Row::get(row, 0)).collect();
    assert_eq!(started.len(), 1005);
    assert!(
        started.is_sorted_by(|before, after| before >= after),
        "{started:?}"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_key_without_room_goes_on_when_it_has_some() {
    let setup = Setup::new()
        .gates()
        .setting("max_concurrent_tasks", 10)
        .table("[concurrency_keys.one]\nconcurrency = 1\n[concurrency_keys.brisk]\nrate = \"2/s\"");
    let service = setup.start().await;
    let mut ids = Vec::new();
    for (key, priority) in [
        ("one", 0),
        ("one", 0),
        ("one", 9),
        ("brisk", 0),
        ("brisk", 0),
    ] {
        let task = json!({"content": "", "processor": "gate", "concurrency_key": key, "priority": priority});
        ids.push(service.submit_json(&task).await);
    }
    let late = json!({"content": "", "concurrency_key": "brisk"});
    let late = service.submit_json(&late).await;
    service.at_gate(&ids[0]).await;
    // What comes while the key is full does not hide what came before.
    for n in [2, 1] {
        assert_eq!(service.task(&ids[n]).await["status"], "PENDING");
        service.open_gate(&ids[if n == 2 { 0 } else { 2 }]).await;
        service.at_gate(&ids[n]).await;
    }
    service.finished(&late).await;
    for n in [1, 3, 4] {
        service.open_gate(&ids[n]).await;
    }
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_rate_lets_so_many_start_and_counts_them_across_a_crash() {
    let setup = Setup::new().gate_processor("slow", "rate = \"2/h\"");
    let service = setup.start().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(service.submit_to("slow", "").await);
    }
    for id in &ids[..2] {
        service.open_gate(id).await;
    }
    let why = reasons(&service, &ids[2]).await;
    assert_eq!(why[0]["type"], "processor_rate", "{why:?}");
    assert_eq!(why[0]["rate"], "2/h");
    let service = service.kill9().await.start().await;
    let after = reasons(&service, &ids[2]).await;
    assert_eq!(after[0]["type"], "processor_rate", "{after:?}");
    let frees = format!(
        "SELECT unixepoch('{}') - unixepoch(min(started_at)) FROM tasks",
        after[0]["frees_at"].as_str().unwrap()
    );
    assert_eq!(service.database().await.number(&frees).await, 3600);
    assert_eq!(service.task(&ids[2]).await["status"], "PENDING");
    service.ends_well().await;
}

#[tokio::test]
async fn a_rate_counts_the_starts_of_deleted_tasks_across_a_crash() {
    let setup = Setup::new().table(
        "[processors.slow]\nkind = \"echo\"\nrate = \"2/h\"\n\
         [concurrency_keys.scarce]\nrate = \"1/h\"",
    );
    let service = setup.start().await;
    let scarce = json!({"content": "", "concurrency_key": "scarce"});
    let mut done = Vec::new();
    for _ in 0..2 {
        done.push(service.submit_to("slow", "").await);
    }
    done.push(service.submit_json(&scarce).await);
    for id in &done {
        service.finished(id).await;
        let path = format!("/api/v1/tasks/{id}");
        let request = service.request(reqwest::Method::DELETE, &path);
        assert_eq!(Answer::of(request).await.status, 204);
    }
    let service = service.kill9().await.start().await;
    let slow = service.submit_to("slow", "one too many").await;
    let scarce = service.submit_json(&scarce).await;
    let free = service.submit("has no rate").await;
    service.finished(&free).await;
    for (id, why) in [(slow, "processor_rate"), (scarce, "key_rate")] {
        assert_eq!(reasons(&service, &id).await[0]["type"], why);
        assert_eq!(service.task(&id).await["status"], "PENDING");
    }
    // Nothing is kept of what no rate counts.
    let kept = "SELECT count(*) FROM starts";
    assert_eq!(service.database().await.number(kept).await, 3);
    service.ends_well().await;
}

#[tokio::test]
async fn a_rate_gives_its_tokens_back() {
    let setup = Setup::new().table("[concurrency_keys.brisk]\nrate = \"5/s\"");
    let service = setup.start().await;
    let task = json!({"content": "", "concurrency_key": "brisk"});
    let tasks = json!({"tasks": vec![task; 16]});
    service
        .post_json("/api/v1/tasks/batch", &tasks)
        .await
        .expect(201);
    service.drained().await;
    // No window of a second saw more than five starts.
    let starts = "SELECT started_at FROM tasks ORDER BY started_at";
    let starts = service.database().await.texts(starts).await;
    for window in starts.windows(6) {
        let apart = format!(
            "SELECT (unixepoch('{}', 'subsec') - unixepoch('{}', 'subsec')) * 1000",
            window[5], window[0]
        );
        let rows = service.database().await.rows(&apart).await;
        let apart: f64 = sqlx::Row::get(&rows[0], 0);
        assert!(apart >= 999.0, "{window:?}");
    }
    // A start is kept until its token is back, and goes with a later one.
    let kept = "SELECT count(*) FROM starts";
    assert!(service.database().await.number(kept).await <= 5);
    service.ends_well().await;
}

#[tokio::test]
async fn one_processor_can_be_paused_and_resumed_also_across_a_restart() {
    let service = Setup::new().gates().start().await;
    let body = json!({"processor": "gate", "reason": "maintenance"});
    let paused = service
        .post_json("/api/v1/queue/pause", &body)
        .await
        .expect(200);
    assert_eq!(paused["processor"], "gate");
    let held = service.submit_to("gate", "").await;
    let free = service.submit("goes on").await;
    assert_eq!(service.finished(&free).await["status"], "COMPLETED");
    let service = service.ends_well().await.start().await;
    let why = reasons(&service, &held).await;
    assert_eq!(why[0]["type"], "processor_paused");
    assert_eq!(why[0]["reason"], "maintenance");
    let body = json!({"processor": "gate"});
    service
        .post_json("/api/v1/queue/resume", &body)
        .await
        .expect(200);
    service.open_gate(&held).await;
    let wrong = json!({"processor": "nobody"});
    let problem = service
        .post_json("/api/v1/queue/pause", &wrong)
        .await
        .problem();
    assert_eq!(problem["loc"], json!(["body", "processor"]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_pause_ends_by_itself_at_its_time() {
    let service = Service::start().await;
    let soon = "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '+0.4 seconds')";
    let until = service.database().await.text(soon).await;
    let mut listener = service.listen("?types=QUEUE_RESUMED").await;
    service
        .post_json("/api/v1/queue/pause", &json!({"until": until}))
        .await
        .expect(200);
    assert_eq!(service.queue_status().await["paused"], true);
    let id = service.submit("waits").await;
    let resumed = listener.next_event().await;
    assert_eq!(resumed["type"], "QUEUE_RESUMED");
    service.finished(&id).await;
    let past = json!({"until": "2001-01-01T00:00:00Z"});
    let problem = service
        .post_json("/api/v1/queue/pause", &past)
        .await
        .problem();
    assert_eq!(problem["loc"], json!(["body", "until"]));
    eventually("the queue goes on", || async {
        (service.queue_status().await["paused"] == false).then_some(())
    })
    .await;
    service.ends_well().await;
}
