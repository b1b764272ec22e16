//! Another SQLite program submits tasks: `INSERT INTO tasks(content) VALUES ('hello')`.

use serde_json::{Value, json};

use support::{Database, Service, eventually};

const HELLO: &str = "INSERT INTO tasks(content) VALUES ('hello')";

/// Runs an INSERT; the id of its last row.
async fn insert(database: &mut Database, sql: &str) -> String {
    database.run(sql).await.expect("an INSERT that is taken");
    database
        .text("SELECT id FROM tasks WHERE source = 'sql' ORDER BY seq DESC LIMIT 1")
        .await
}

#[tokio::test]
async fn an_inserted_row_is_a_task_and_runs_with_its_events() {
    let service = Service::start().await;
    let mut listener = service.listen("").await;
    let mut database = service.database().await;
    let id = insert(&mut database, HELLO).await;
    let events = listener.until("TASK_COMPLETED", &id).await;
    let types: Vec<_> = events.iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["TASK_CREATED", "TASK_STARTED", "TASK_COMPLETED"]);
    let data = json!({"task_id": id, "content": "hello"});
    assert_eq!(events[0]["data"], data);
    assert_eq!(events, service.replay().await);

    let task = service.finished(&id).await;
    assert_eq!(uuid::Uuid::parse_str(&id).unwrap().get_version_num(), 4);
    assert_eq!(task["result"], "Processed: hello");
    assert_eq!(task["processor"], "echo");
    assert_eq!(task["priority"], 0);
    assert_eq!(task["tags"], json!([]));
    assert_eq!(task["context_history"], json!({}));
    let created = format!("Task started: {}", task["created_at"].as_str().unwrap());
    assert_eq!(task["logs"][0], created);
    assert_eq!(task["logs"].as_array().unwrap().len(), 3);
    service.ends_well().await;
}

#[tokio::test]
async fn a_row_may_say_all_that_a_request_may() {
    let service = Service::with_gates().await;
    let mut database = service.database().await;
    let id = insert(
        &mut database,
        "INSERT INTO tasks(id, content, processor, priority, tags, session_id, context_history)
         VALUES ('0f0e0d0c-0b0a-4908-8706-050403020100', 'knock', 'gate', 7, '[\"a\"]', 's',
                 '{\"request\": {\"x\": 1}}')",
    )
    .await;
    assert_eq!(id, "0f0e0d0c-0b0a-4908-8706-050403020100");
    let task = service.open_gate(&id).await;
    assert_eq!(task["result"], "let through: knock");
    assert_eq!(
        (&task["priority"], &task["session_id"]),
        (&json!(7), &json!("s"))
    );
    assert_eq!(task["tags"], json!(["a"]));
    assert_eq!(task["context_history"], json!({"request": {"x": 1}}));
    service.ends_well().await;
}

#[tokio::test]
async fn rows_of_one_transaction_come_together_or_not_at_all() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let thousand =
        "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
                    INSERT INTO tasks(content) SELECT 'task ' || i FROM n";
    database
        .run(&format!("BEGIN; {thousand}; ROLLBACK"))
        .await
        .unwrap();
    let api = service.submit("of the service").await;
    service.finished(&api).await;
    assert_eq!(
        service
            .get("/api/v1/tasks")
            .await
            .expect(200)
            .as_array()
            .unwrap()
            .len(),
        1
    );

    database
        .run(&format!("BEGIN; {thousand}; {HELLO}; COMMIT"))
        .await
        .unwrap();
    eventually("all of them run", || async {
        let done = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED'";
        let done = service.database().await.number(done).await;
        (done == 1002).then_some(())
    })
    .await;
    // What was rolled back left no trace, not even a missing id.
    let ids: Vec<_> = service
        .replay()
        .await
        .iter()
        .map(|e| e["id"].as_i64().unwrap())
        .collect();
    assert!(ids.iter().copied().eq(1..=3 * 1002), "{} events", ids.len());
    service.ends_well().await;
}

#[tokio::test]
async fn rows_inserted_while_the_service_is_down_run_when_it_is_up() {
    let service = Service::start().await;
    let stopped = service.ends_well().await;
    let id = insert(&mut stopped.database().await, HELLO).await;
    let service = stopped.start().await;
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_row_that_no_client_may_write_is_refused_and_says_why() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let refused = [
        ("content", "NULL", "NOT NULL"),
        ("content", "x'00ff'", "BLOB"),
        ("content, id", "'a', '42'", "tasks.id"),
        (
            "content, id",
            "'a', '0F0E0D0C-0B0A-4908-8706-050403020100'",
            "tasks.id",
        ),
        ("content, status", "'a', 'DONE'", "CHECK"),
        ("content, status", "'a', 'pending'", "CHECK"),
        ("content, status", "'a', 'PROCESSING'", "tasks.status"),
        (
            "content, status, finished_at",
            "'a', 'COMPLETED', '2026-01-31T12:00:00.000000Z'",
            "tasks.status",
        ),
        ("content, attempt", "'a', 1", "tasks.status"),
        ("content, priority", "'a', 101", "CHECK"),
        ("content, priority", "'a', 'high'", "INTEGER"),
        (
            "content, created_at",
            "'a', '2026-01-31'",
            "tasks.created_at",
        ),
        (
            "content, created_at",
            "'a', '2026-99-31T12:00:00.000000Z'",
            "tasks.created_at",
        ),
        ("content, run_at", "'a', 'tomorrow'", "tasks.run_at"),
        ("content, tags", "'a', 'nightly'", "tasks.tags"),
        ("content, tags", "'a', '[1]'", "tasks.tags"),
        (
            "content, context_history",
            "'a', '[]'",
            "tasks.context_history",
        ),
        (
            "content, context_used",
            "'a', 'nothing'",
            "tasks.context_used",
        ),
        ("content, extra", "'a', '1'", "tasks.extra"),
        ("content, failure", "'a', 'error'", "CHECK"),
        ("content, progress", "'a', 2", "CHECK"),
        ("text", "'a'", "text"),
    ];
    for (columns, values, why) in refused {
        let sql = format!("INSERT INTO tasks({columns}) VALUES ({values})");
        let error = database.run(&sql).await.expect_err(&sql).to_string();
        assert!(error.contains(why), "{sql}: {error}");
    }
    // A refused row takes its neighbours with it, and nothing else.
    let sql = "INSERT INTO tasks(content, priority) VALUES ('fine', 0), ('not', 1000)";
    database.run(sql).await.unwrap_err();
    assert_eq!(service.get("/api/v1/tasks").await.expect(200), json!([]));
    assert_eq!(service.replay().await, Vec::<Value>::new());
    let id = insert(&mut database, HELLO).await;
    service.finished(&id).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_row_for_an_unknown_processor_waits_and_explain_names_those_there_are() {
    let service = Service::with_gates().await;
    let mut database = service.database().await;
    let sql = "INSERT INTO tasks(content, processor) VALUES ('hello', 'nobody')";
    let id = insert(&mut database, sql).await;
    let others = "INSERT INTO tasks(content) VALUES ('others')";
    service.finished(&insert(&mut database, others).await).await;
    let explained = service.get(&format!("/api/v1/tasks/{id}/explain")).await;
    let message = explained.expect(200)["message"].clone();
    let message = message.as_str().unwrap();
    assert!(
        message.contains("nobody") && message.contains("echo, gate"),
        "{message}"
    );
    let repair = format!("UPDATE tasks SET processor = 'echo' WHERE id = '{id}'");
    database.run(&repair).await.unwrap();
    assert_eq!(service.finished(&id).await["result"], "Processed: hello");
    service.ends_well().await;
}

#[tokio::test]
async fn a_row_starts_when_it_is_due_and_not_before() {
    let service = Service::start().await;
    let mut database = service.database().await;
    let at = |when: &str| {
        format!(
            "INSERT INTO tasks(content, run_at)
             VALUES ('later', strftime('%Y-%m-%dT%H:%M:%f', 'now', '{when}') || '000Z')"
        )
    };
    let tomorrow = insert(&mut database, &at("+1 day")).await;
    let soon = insert(&mut database, &at("+1 second")).await;
    let now = insert(&mut database, HELLO).await;
    service.finished(&now).await;
    let task = service.finished(&soon).await;
    let started = task["started_at"].as_str().unwrap();
    assert!(started >= task["run_at"].as_str().unwrap(), "{task}");
    assert_eq!(service.task(&tomorrow).await["status"], "PENDING");
    assert_eq!(service.queue_status().await["pending"], 1);
    service.ends_well().await;
}

#[tokio::test]
async fn rows_obey_the_pause_and_the_purge() {
    let service = Service::start().await;
    service.pause().await;
    let mut database = service.database().await;
    let id = insert(&mut database, HELLO).await;
    eventually("the row is counted", || async {
        (service.queue_status().await["pending"] == 1).then_some(())
    })
    .await;
    assert_eq!(service.task(&id).await["status"], "PENDING");
    // Not counted yet, and purged all the same.
    let unseen = insert(&mut database, HELLO).await;
    assert_eq!(service.purge().await["removed"], 2);
    assert_eq!(service.task(&unseen).await["failure"], "purged");
    service.ends_well().await;
}

#[tokio::test]
async fn another_programs_open_transaction_loses_nobody_a_task() {
    let service = Service::start().await;
    let mut database = service.database().await;
    database
        .run(&format!("BEGIN IMMEDIATE; {HELLO}"))
        .await
        .unwrap();
    let request = json!({"content": "meanwhile"});
    let submitted = service.post_json("/api/v1/tasks", &request);
    // Reads go on while the write waits for the other program.
    let read = service.get("/api/v1/tasks");
    let commit = async {
        assert_eq!(read.await.expect(200), json!([]));
        database.run("COMMIT").await.unwrap();
    };
    let (submitted, ()) = tokio::join!(submitted, commit);
    submitted.expect(201);
    eventually("both run", || async {
        let tasks = service.get("/api/v1/tasks").await.expect(200);
        let tasks = tasks.as_array().unwrap().clone();
        let done = tasks
            .iter()
            .filter(|task| task["status"] == "COMPLETED")
            .count();
        (done == 2).then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn what_waits_is_counted_right_while_the_service_goes_on() {
    let service = Service::start().await;
    let mut database = service.database().await;
    // So many lanes that a count takes a while.
    let many = "INSERT INTO tasks(content, run_at, concurrency_key)
                WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                SELECT 'far', '2999-01-01T00:00:00.000000Z', 'key ' || i % 5000 FROM n";
    database.run(many).await.unwrap();
    let key = |n: i64| json!({"content": "", "concurrency_key": format!("key {n}"), "delay": 3600});
    for _ in 0..3 {
        // It makes the service count; what comes during that must be in the sum too.
        database.run(HELLO).await.unwrap();
        for n in 0..100 {
            let tasks = json!({"tasks": [key(n), key(n + 1), {"content": "at once"}]});
            let answer = service.post_json("/api/v1/tasks/batch", &tasks).await;
            answer.expect(201);
        }
    }
    eventually("the status says what the rows do", || async {
        let status = service.queue_status().await;
        let rows = "SELECT count(*) FROM tasks WHERE status = 'PENDING'";
        let waiting = service.database().await.number(rows).await;
        let is_right = waiting == 20_600 && status["pending"] == waiting && status["active"] == 0;
        is_right.then_some(())
    })
    .await;
    service.ends_well().await;
}

/// Triggers of the schema check what other programs write, and rest while the service writes. Those that somebody else
/// has made do not.
#[tokio::test]
async fn a_trigger_that_another_program_makes_takes_part_at_once_and_until_it_goes() {
    let service = Service::start().await;
    let mut database = service.database().await;
    for sql in [
        "CREATE TABLE seen (content TEXT)",
        "CREATE TRIGGER note AFTER INSERT ON tasks BEGIN INSERT INTO seen VALUES (NEW.content); END",
    ] {
        database.run(sql).await.unwrap();
    }
    service.submit("noted").await;
    database.run("DROP TRIGGER note").await.unwrap();
    service.submit("not noted").await;
    let seen = database.texts("SELECT content FROM seen").await;
    assert_eq!(seen, ["noted"]);
    service.ends_well().await;
}
