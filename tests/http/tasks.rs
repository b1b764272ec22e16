//! Tasks: submit, read, list.

use serde_json::{Value, json};

use support::Service;

const FIELDS: [&str; 20] = [
    "id",
    "content",
    "created_at",
    "status",
    "result",
    "logs",
    "context_history",
    "context_used",
    "processor",
    "priority",
    "attempt",
    "max_attempts",
    "run_at",
    "started_at",
    "finished_at",
    "failure",
    "error",
    "progress",
    "tags",
    "session_id",
];

/// A time as the contract writes it.
fn is_time(value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    let shape: String = text
        .chars()
        .map(|letter| if letter.is_ascii_digit() { '0' } else { letter })
        .collect();
    shape == "0000-00-00T00:00:00.000000Z"
}

#[tokio::test]
async fn a_submitted_task_is_answered_with_its_id_and_runs() {
    let service = Service::start().await;
    let answer = service
        .post_json("/api/v1/tasks", &json!({"content": "hello"}))
        .await;
    let created = answer.expect(201);
    assert_eq!(created["status"], "PENDING");
    assert!(is_time(&created["created_at"]), "{created}");
    let id = created["task_id"].as_str().unwrap();
    assert_eq!(uuid::Uuid::parse_str(id).unwrap().to_string(), id);

    let task = service.finished(id).await;
    let keys: Vec<_> = task.as_object().unwrap().keys().collect();
    assert_eq!(keys, FIELDS);
    for name in ["created_at", "run_at", "started_at", "finished_at"] {
        assert!(is_time(&task[name]), "{name}: {task}");
    }
    let times = ["created_at", "started_at", "finished_at"].map(|name| task[name].as_str());
    assert!(times.is_sorted(), "{task}");
    let time = |name: &str| task[name].as_str().unwrap();
    let expected = json!({
        "id": id,
        "content": "hello",
        "created_at": created["created_at"],
        "status": "COMPLETED",
        "result": "Processed: hello",
        "logs": [
            format!("Task started: {}", time("created_at")),
            format!("Processing started: {}", time("started_at")),
            format!("Processing completed: {}", time("finished_at")),
        ],
        "context_history": {},
        "context_used": null,
        "processor": "echo",
        "priority": 0,
        "attempt": 1,
        "max_attempts": 1,
        "run_at": created["created_at"],
        "started_at": task["started_at"],
        "finished_at": task["finished_at"],
        "failure": null,
        "error": null,
        "progress": null,
        "tags": [],
        "session_id": null,
    });
    assert_eq!(task, expected);
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_runs_says_so_and_a_failed_one_says_why() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("knock").await;
    let task = service.task(&id).await;
    assert_eq!(task["status"], "PROCESSING");
    assert_eq!(task["attempt"], 1);
    assert!(is_time(&task["started_at"]), "{task}");
    assert_eq!(task["finished_at"], Value::Null);

    service.say(&id, "fail nobody is at home").await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "FAILED");
    assert_eq!(task["failure"], "error");
    let error = task["error"].as_str().unwrap();
    assert!(error.contains("nobody is at home"), "{task}");
    assert_eq!(task["result"], Value::Null);
    service.ends_well().await;
}

#[tokio::test]
async fn what_the_client_says_of_a_task_is_kept() {
    let service = Service::start().await;
    let request = json!({
        "content": "hello",
        "processor": "echo",
        "priority": -100,
        "tags": ["nightly", "ü", ""],
        "session_id": "s-1",
        "preferred_language": "pl",
        "images": [],
        "generation_params": {"temperature": 0.30000000000000004, "seed": 18446744073709551616_u128.to_string()},
        "forced_tool": null,
    });
    let id = service.submit_json(&request).await;
    let task = service.finished(&id).await;
    assert_eq!(task["priority"], -100);
    assert_eq!(task["tags"], json!(["nightly", "ü", ""]));
    assert_eq!(task["session_id"], "s-1");
    let mut kept = request.clone();
    for known in ["content", "processor", "priority", "tags", "session_id"] {
        kept.as_object_mut().unwrap().shift_remove(known);
    }
    assert_eq!(task["context_history"], json!({"request": kept}));
    service.ends_well().await;
}

#[tokio::test]
async fn a_null_counts_as_left_out() {
    let service = Service::start().await;
    let request = json!({
        "content": "", "processor": null, "priority": null, "tags": null, "session_id": null
    });
    let id = service.submit_json(&request).await;
    let task = service.finished(&id).await;
    assert_eq!(task["content"], "");
    assert_eq!(task["result"], "Processed: ");
    assert_eq!(task["processor"], "echo");
    assert_eq!(task["priority"], 0);
    assert_eq!(task["tags"], json!([]));
    assert_eq!(task["session_id"], Value::Null);
    assert_eq!(task["context_history"], json!({}));
    service.ends_well().await;
}

#[tokio::test]
async fn every_character_and_every_number_makes_the_round_trip() {
    let service = Service::start().await;
    let texts = [
        "\u{0}",
        "a\u{0}b\u{0}\u{0}c",
        "'; DROP TABLE tasks; --",
        "\"\\\u{1}\u{1f}\u{7f}\u{80}\u{2028}\u{feff}\u{fffd}\u{ffff}",
        "żółw 🐢 \u{10ffff} e\u{301} \r\n\t",
        "{\"content\": null}",
        "%s %00 ${HOME} $(id)",
    ];
    for text in texts {
        let request = json!({"content": text, "tags": [text], "session_id": text, text: text});
        let id = service.submit_json(&request).await;
        let task = service.finished(&id).await;
        assert_eq!(task["content"], text);
        assert_eq!(task["result"], format!("Processed: {text}"));
        assert_eq!(task["tags"], json!([text]));
        assert_eq!(task["session_id"], text);
        assert_eq!(task["context_history"]["request"], json!({text: text}));
    }
    let numbers = "[18446744073709551616, -9223372036854775809, 1e+300, 1.50, -0.0, 1E-7, \
                    0.1000000000000000055511151231257827]";
    let body = format!("{{\"content\": \"numbers\", \"numbers\": {numbers}}}");
    let created = service.post_text("/api/v1/tasks", body).await.expect(201);
    let path = format!("/api/v1/tasks/{}", created["task_id"].as_str().unwrap());
    let answer = service.get(&path).await;
    let kept = numbers.replace(", ", ",").to_lowercase();
    let found = answer.text().to_lowercase();
    assert!(found.contains(&kept), "{found}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_content_of_the_largest_size_runs() {
    let service = Service::start().await;
    let content = "x".repeat(8 * 1024 * 1024 - 100);
    let id = service.submit(&content).await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"].as_str().unwrap().len(), content.len() + 11);
    service.ends_well().await;
}

#[tokio::test]
async fn an_id_is_found_however_it_is_written() {
    let service = Service::start().await;
    let id = service.submit("hello").await;
    for written in [id.to_uppercase(), id.replace('-', "")] {
        assert_eq!(service.task(&written).await["id"], id);
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_service_that_is_alive_says_so() {
    let service = Service::start().await;
    let alive = service.get("/healthz").await.expect(200);
    assert_eq!(alive, json!({"status": "ok", "component": "venom-core"}));
    assert_eq!(service.get("/readyz").await.status, 200);
    service.ends_well().await;
}

#[tokio::test]
async fn a_listing_is_every_task_newest_first() {
    let service = Service::start().await;
    let empty = service.get("/api/v1/tasks").await;
    assert_eq!(empty.expect(200), json!([]));

    service.pause().await;
    let mut ids = Vec::new();
    let mut database = service.database().await;
    // More than the service reads at a time, and neither a multiple of it nor below it.
    let many = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 850)
                INSERT INTO tasks(content) SELECT 'task ' || i FROM n";
    database.run(many).await.unwrap();
    let stored = "SELECT id FROM tasks ORDER BY seq";
    ids.extend(database.texts(stored).await);
    ids.push(service.submit("the newest").await);
    ids.reverse();

    let listed = service.get("/api/v1/tasks").await.expect(200);
    let listed = listed.as_array().unwrap();
    let found: Vec<_> = listed
        .iter()
        .map(|task| task["id"].as_str().unwrap())
        .collect();
    assert_eq!(found, ids);
    assert_eq!(listed[0]["content"], "the newest");
    let keys: Vec<_> = listed[500].as_object().unwrap().keys().collect();
    assert_eq!(keys, FIELDS);
    let alone = service.task(&ids[500]).await;
    assert_eq!(listed[500], alone);
    service.purge().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_listing_of_exactly_one_page_ends() {
    let service = Service::start().await;
    service.pause().await;
    let mut database = service.database().await;
    for total in [1, 199, 200, 201, 400] {
        let more = format!(
            "WITH RECURSIVE n(i) AS (SELECT count(*) + 1 FROM tasks
                                     UNION ALL SELECT i + 1 FROM n WHERE i < {total})
             INSERT INTO tasks(content) SELECT 'task ' || i FROM n"
        );
        database.run(&more).await.unwrap();
        let listed = service.get("/api/v1/tasks").await.expect(200);
        assert_eq!(listed.as_array().unwrap().len(), total);
    }
    service.ends_well().await;
}
