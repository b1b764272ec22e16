//! A row that another program has spoilt: refused by the triggers, and where it is there all the same it
//! costs nobody but its own task.

use serde_json::{Value, json};

use support::{Database, Service, eventually};

/// What no reader of JSON can be expected to take, as a value.
fn strange() -> Vec<String> {
    vec![
        r#""\ud83d""#.to_owned(),
        r#"{"\ude00": 1}"#.to_owned(),
        r#""\ud83d\\\ude00""#.to_owned(),
        "9".repeat(4301),
        "9".repeat(301),
        "-1e999".to_owned(),
        format!("{}{}", "[".repeat(250), "]".repeat(250)),
    ]
}

#[tokio::test]
async fn json_that_some_readers_cannot_take_is_refused_by_the_triggers() {
    let service = Service::start().await;
    service.pause().await;
    let mut database = service.database().await;
    for value in strange() {
        for (column, json) in [
            ("tags", format!("[{value}]")),
            ("context_history", format!(r#"{{"a": {value}}}"#)),
            ("context_used", value.clone()),
            ("extra", format!(r#"{{"a": {value}}}"#)),
        ] {
            let sql = format!("INSERT INTO tasks(content, {column}) VALUES ('x', '{json}')");
            let error = database.run(&sql).await.expect_err(&sql).to_string();
            assert!(
                error.contains(&format!("tasks.{column}: expected")),
                "{error}"
            );
        }
    }
    for (column, value, most) in [
        ("session_id", "x".repeat(201), "200 characters"),
        ("unique_key", "x".repeat(1001), "1000 characters"),
        ("concurrency_key", "x".repeat(1001), "1000 characters"),
        ("tags", json!(vec!["x"; 101]).to_string(), "100 tags"),
        (
            "tags",
            json!(["x".repeat(201)]).to_string(),
            "200 characters",
        ),
        (
            "context_history",
            json!({ "a": vec![0; 10_001] }).to_string(),
            "10000 values",
        ),
    ] {
        let sql = format!("INSERT INTO tasks(content, {column}) VALUES ('x', '{value}')");
        let error = database.run(&sql).await.expect_err(column).to_string();
        assert!(error.contains(column) && error.contains(most), "{error}");
        database
            .run("INSERT INTO tasks(content) VALUES ('y')")
            .await
            .unwrap();
        let sql = format!("UPDATE tasks SET {column} = '{value}' WHERE seq = 1");
        let error = database.run(&sql).await.expect_err(column).to_string();
        assert!(error.contains(column) && error.contains(most), "{error}");
    }
    let fine = format!(
        r#"{{"a": "\ud83d\ude00 \\ud83d", "b": [{}, 1e300, -1.5], "c": {}1{}}}"#,
        "9".repeat(300),
        "[".repeat(100),
        "]".repeat(100),
    );
    let sql = format!(
        "INSERT INTO tasks(content, tags, context_history, session_id, unique_key)
         VALUES ('fine', '{}', '{fine}', '{}', '{}')",
        json!(vec!["é".repeat(200); 100]),
        "é".repeat(200),
        "é".repeat(1000),
    );
    database.run(&sql).await.unwrap();
    service.resume().await;
    service.drained().await;
    let listed = service.get("/api/v1/tasks?limit=1").await;
    assert!(listed.text().contains(&"9".repeat(300)));
    service.ends_well().await;
}

/// Spoils the row of this id as an old row, or one written with the triggers switched off, can be.
async fn spoil(database: &mut Database, id: &str, assignment: &str) {
    for trigger in database
        .texts("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        .await
    {
        database
            .run(&format!("DROP TRIGGER {trigger}"))
            .await
            .unwrap();
    }
    let sql = format!("UPDATE tasks SET {assignment} WHERE id = '{id}'");
    database.run(&sql).await.expect(&sql);
}

/// The ids in a list of tasks.
fn ids(list: &Value) -> Vec<&str> {
    let list = list.as_array().expect("a list of tasks").iter();
    list.map(|task| task["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_spoilt_row_costs_nobody_but_its_task() {
    let deep = format!(r#"{{"a": {}{}}}"#, "[".repeat(250), "]".repeat(250));
    let long = format!(r#"{{"a": {}}}"#, "9".repeat(4301));
    let cases = [
        (
            r#"tags = '["a", "\ud83d"]'"#.to_owned(),
            "tags",
            json!(["a", "\u{fffd}"]),
        ),
        ("tags = '[1, \"b\"]'".to_owned(), "tags", json!(["1", "b"])),
        (
            "tags = 'nothing'".to_owned(),
            "tags",
            json!([r#"{"unreadable":"nothing"}"#]),
        ),
        (
            r#"context_history = '{"a": "\ud83d"}'"#.to_owned(),
            "context_history",
            json!({ "a": "\u{fffd}" }),
        ),
        (
            format!("context_history = '{long}'"),
            "context_history",
            json!({ "a": "9".repeat(4301) }),
        ),
        (
            format!("context_history = '{deep}'"),
            "context_history",
            Value::Null,
        ),
        (
            "context_history = '[1]'".to_owned(),
            "context_history",
            json!({ "unreadable": "[1]" }),
        ),
        (
            "context_used = '{'".to_owned(),
            "context_used",
            json!({ "unreadable": "{" }),
        ),
    ];
    for (assignment, field, expected) in cases {
        let service = Service::with_worker("").await;
        let before = service.submit("before").await;
        let bad = service.submit_to("outside", "words to find").await;
        let after = service.submit_to("outside", "words to find, too").await;
        service.finished(&before).await;
        let mut database = service.database().await;
        spoil(&mut database, &bad, &assignment).await;

        let task = service.task(&bad).await;
        if expected != Value::Null {
            assert_eq!(task[field], expected, "{assignment}");
        }
        for path in [
            "/api/v1/tasks",
            "/api/v1/tasks?limit=10",
            "/api/v1/tasks?status=PENDING",
        ] {
            let listed = service.get(path).await.expect(200);
            assert!(ids(&listed).contains(&bad.as_str()), "{assignment}: {path}");
            assert!(
                ids(&listed).contains(&after.as_str()),
                "{assignment}: {path}"
            );
        }
        let found = service.get("/api/v1/tasks?q=words").await.expect(200);
        assert_eq!(ids(&found), [&after, &bad], "{assignment}");
        let tagged = service.get("/api/v1/tasks?tag=b").await.expect(200);
        assert_eq!(
            ids(&tagged).len(),
            usize::from(assignment.contains("\"b\""))
        );
        let dump = service.get("/api/v1/export").await;
        assert_eq!(ids(&dump.expect(200)["tasks"]), [&before, &bad, &after]);
        // What goes out comes in again.
        let other = Service::start().await;
        other.pause().await;
        let imported = other.post_text("/api/v1/import", dump.body.clone()).await;
        assert_eq!(imported.expect(200)["imported"], 3, "{assignment}");
        other.purge().await;
        other.ends_well().await;

        let claimed = service.claim(json!({ "limit": 2, "wait": 60 })).await;
        assert_eq!(claimed.len(), 2, "{assignment}: {claimed:?}");
        for task in &claimed {
            service.complete(task, "done").await;
        }
        // The doctor reads rows as the service does, and names the one.
        let report = service.get("/api/v1/doctor?full=true").await.expect(200);
        let checks = report["checks"].as_array().unwrap();
        let check = checks
            .iter()
            .find(|check| check["name"] == "invariants")
            .unwrap();
        assert_eq!(check["state"], "fail", "{assignment}: {check}");
        let said = check.to_string();
        assert!(
            said.contains(&bad) && said.contains(&format!("tasks.{field}: ")),
            "{said}"
        );
        service.ends_well().await;
    }
}

#[tokio::test]
async fn a_row_that_is_no_task_at_all_is_left_out_and_named() {
    let service = Service::start().await;
    let mut ids_of_all = Vec::new();
    for number in 0..3 {
        let id = service.submit(&format!("number {number}")).await;
        service.finished(&id).await;
        ids_of_all.push(id);
    }
    let mut database = service.database().await;
    let bad = ids_of_all.remove(1);
    spoil(&mut database, &bad, "created_at = 'yesterday'").await;
    for path in ["/api/v1/tasks", "/api/v1/tasks?limit=10&order=asc"] {
        let listed = service.get(path).await.expect(200);
        let mut found = ids(&listed);
        found.sort_unstable();
        assert_eq!(found, ids_of_all, "{path}");
    }
    let dump = service.get("/api/v1/export").await.expect(200);
    assert_eq!(ids(&dump["tasks"]), ids_of_all);
    let sentence = service
        .get(&format!("/api/v1/tasks/{bad}"))
        .await
        .sentence(500);
    assert!(sentence.starts_with("Internal error "), "{sentence}");
    // Pages go on past pages of nothing but such rows.
    database
        .run("UPDATE tasks SET created_at = 'yesterday'")
        .await
        .unwrap();
    let last = service.submit("the last").await;
    service.finished(&last).await;
    let listed = service.get("/api/v1/tasks").await.expect(200);
    assert_eq!(ids(&listed), [&last]);
    let dump = service.get("/api/v1/export").await.expect(200);
    assert_eq!(ids(&dump["tasks"]), [&last]);
    let report = service.get("/api/v1/doctor?full=true").await.expect(200);
    assert!(
        report
            .to_string()
            .contains("tasks.created_at: expected a time"),
        "{report}"
    );
    service.stop().await;
}

#[tokio::test]
async fn a_dump_with_half_a_character_loses_that_half_alone() {
    let service = Service::start().await;
    service.pause().await;
    let task = |number: usize, content: &str| {
        format!(
            r#"{{"id": "0190a6e2-7b5c-7d20-9a3c-{number:012x}", "content": "{content}",
                "context_history": {{"a": ["{content}", "\ud83d\ude00"]}}}}"#
        )
    };
    let dump = format!(
        r#"{{"tasks": [{}, {}, {}], "note": "\ud83d"}}"#,
        task(1, "whole"),
        task(2, r"half \ud83d here"),
        task(3, "whole too")
    );
    let report = service.post_text("/api/v1/import", dump).await.expect(200);
    assert_eq!(
        (&report["imported"], &report["replaced_characters"]),
        (&json!(3), &json!(3))
    );
    let task = service.task("0190a6e2-7b5c-7d20-9a3c-000000000002").await;
    assert_eq!(task["content"], "half \u{fffd} here");
    assert_eq!(
        task["context_history"]["a"],
        json!(["half \u{fffd} here", "😀"])
    );
    let dump = service.get("/api/v1/export").await.expect(200);
    assert_eq!(dump["note"], "\u{fffd}");
    service.purge().await;
    service.ends_well().await;
}

/// A processor's note on a row whose `context_history` is no JSON must not end anybody's transaction.
#[tokio::test]
async fn a_running_tasks_spoilt_column_stops_nobody() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("knock").await;
    service.at_gate(&id).await;
    let mut database = service.database().await;
    spoil(&mut database, &id, "context_history = '{'").await;
    let other = service.submit("meanwhile").await;
    service.finished(&other).await;
    let task = service.open_gate(&id).await;
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task["context_history"], json!({ "unreadable": "{" }));
    eventually("the queue is empty", || async {
        (service.queue_status().await["active"] == 0).then_some(())
    })
    .await;
    service.ends_well().await;
}

/// A retry by filter that meets a row whose `upstream` is no JSON retries the others all the same.
#[tokio::test]
async fn a_spoilt_list_of_dependencies_stops_no_retry() {
    let service = Service::start().await;
    service.pause().await;
    let mut ids = Vec::new();
    for content in ["a", "b", "c"] {
        ids.push(service.submit(content).await);
    }
    service.purge().await;
    let mut database = service.database().await;
    spoil(&mut database, &ids[1], "upstream = 'not json'").await;
    let answer = service.post("/api/v1/tasks/retry?status=FAILED").await;
    assert_eq!(answer.expect(200)["matched"], 3);
    service.resume().await;
    for id in [&ids[0], &ids[2]] {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
}
