//! Old tasks and keys go, and the file shrinks.

use std::fs;

use serde_json::json;

use support::{Service, Setup, Stopped, eventually};

/// A service's folder with `tasks` tasks of `bytes` each; those at odd places have failed. The older half
/// finished two days ago, the other half just now.
async fn aged(setup: Setup, tasks: usize, bytes: usize) -> Stopped {
    let service = setup.start().await;
    service.pause().await;
    let text = "x".repeat(bytes);
    let rows: Vec<_> = (0..tasks)
        .map(|n| json!({"content": format!("task{n} {text}")}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": rows}))
        .await
        .expect(201);
    service.purge().await;
    let stopped = service.stop().await;
    let two_days_ago = "strftime('%Y-%m-%dT%H:%M:%f', 'now', '-2 days') || '000Z'";
    let age = format!(
        "UPDATE tasks SET created_at = {two_days_ago}, finished_at = {two_days_ago}
          WHERE seq <= {tasks} / 2;
         UPDATE tasks SET status = 'COMPLETED', failure = NULL, error = NULL WHERE seq % 2 = 0;
         UPDATE logs SET type = 'TASK_COMPLETED' WHERE type = 'TASK_FAILED'
            AND task_id IN (SELECT id FROM tasks WHERE status = 'COMPLETED');
         UPDATE idempotency SET created_at = {two_days_ago} WHERE key = 'old'"
    );
    stopped.database().await.run(&age).await.expect("rows");
    stopped
}

async fn seqs(service: &Service) -> Vec<i64> {
    let mut database = service.database().await;
    let rows = database.rows("SELECT seq FROM tasks ORDER BY seq").await;
    rows.iter().map(|row| sqlx::Row::get(row, 0)).collect()
}

#[tokio::test]
async fn only_what_is_older_than_its_setting_is_deleted() {
    for (key, kept) in [
        ("retention_completed", vec![1, 3, 5, 6, 7, 8, 9, 10]),
        ("retention_failed", vec![2, 4, 6, 7, 8, 9, 10]),
    ] {
        let setup = Setup::new()
            .setting(key, "\"1d\"")
            .setting("state_dump", false);
        let service = aged(setup, 10, 10).await.start().await;
        eventually("the old ones are gone", || async {
            (seqs(&service).await == kept).then_some(())
        })
        .await;
        let mut database = service.database().await;
        let logs = "SELECT count(*) FROM logs WHERE task_id NOT IN (SELECT id FROM tasks)";
        assert_eq!(database.number(logs).await, 0);
        service.resume().await;
        let words = service.get("/api/v1/tasks?q=task*").await.expect(200);
        assert_eq!(words.as_array().map(Vec::len), Some(kept.len()));
        service.ends_well().await;
    }
}

#[tokio::test]
async fn what_an_open_task_needs_is_passed_over() {
    let setup = Setup::new().setting("state_dump", false);
    let service = aged(setup, 10, 10).await.start().await;
    let id = "SELECT id FROM tasks WHERE seq = 2";
    let needed = service.database().await.text(id).await;
    let then = service
        .submit_json(&json!({ "content": "then", "after": [needed] }))
        .await;
    let stopped = service.stop().await;
    let service = stopped
        .with_setting("retention_completed", "\"1d\"")
        .start()
        .await;
    let gone = |kept: Vec<i64>| {
        let service = &service;
        eventually("the old ones are gone", move || {
            let kept = kept.clone();
            async move { (seqs(service).await == kept).then_some(()) }
        })
    };
    gone(vec![1, 2, 3, 5, 6, 7, 8, 9, 10, 11]).await;
    service.resume().await;
    assert_eq!(service.finished(&then).await["status"], "COMPLETED");
    // Nobody needs it any more.
    let service = service.stop().await.start().await;
    eventually("the last of the old ones is gone", || async {
        (seqs(&service).await == [1, 3, 5, 6, 7, 8, 9, 10, 11]).then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_row_from_the_future_stands_in_no_ones_way() {
    let setup = Setup::new()
        .setting("retention_completed", "\"1d\"")
        .setting("state_dump", false);
    let stopped = aged(setup, 10, 10).await;
    let future = "UPDATE tasks SET created_at = '2999-01-01T00:00:00.000000Z' WHERE seq = 1";
    stopped.database().await.run(future).await.expect("a row");
    let service = stopped.start().await;
    eventually("the old ones are gone", || async {
        (seqs(&service).await == [1, 3, 5, 6, 7, 8, 9, 10]).then_some(())
    })
    .await;
    service.ends_well().await;
}

/// More rows than are looked at in one go, a few of them old: at the ends and in the middle.
#[tokio::test]
async fn old_tasks_are_found_among_many_that_are_kept() {
    let setup = Setup::new()
        .setting("retention_completed", "\"1d\"")
        .setting("state_dump", false);
    let stopped = setup.start().await.stop().await;
    let seed = "BEGIN;
        INSERT INTO tasks (content, status, processor, attempt, max_attempts, created_at, started_at,
                           finished_at, result, source)
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
        SELECT 'task ' || i, 'COMPLETED', 'echo', 1, 1, at, at, at, 'Processed: task ' || i, 'api'
          FROM n, (SELECT strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z' AS at);
        UPDATE tasks SET started_at = '2026-01-01T00:00:00.000000Z',
                         finished_at = '2026-01-01T00:00:00.000000Z'
         WHERE seq IN (1, 10000, 10001, 15000, 20000, 25000);
        INSERT INTO logs (task_id, type, message)
        SELECT id, type, message FROM tasks, (
            SELECT 'TASK_CREATED' AS type, 'Task started' AS message
            UNION ALL SELECT 'TASK_STARTED', 'Processing started'
            UNION ALL SELECT 'TASK_COMPLETED', 'Processing completed');
        COMMIT";
    stopped.database().await.run(seed).await.expect("rows");
    let service = stopped.start().await;
    eventually("the old ones are gone", || async {
        let mut database = service.database().await;
        let old = "SELECT count(*) FROM tasks WHERE finished_at = '2026-01-01T00:00:00.000000Z'";
        (database.number(old).await == 0).then_some(())
    })
    .await;
    let mut database = service.database().await;
    let left = database.number("SELECT count(*) FROM tasks").await;
    assert_eq!(left, 25_000 - 6);
    service.ends_well().await;
}

#[tokio::test]
async fn without_a_setting_all_tasks_stay_and_old_keys_go() {
    let setup = Setup::new().setting("state_dump", false);
    let service = setup.start().await;
    for key in ["old", "recent"] {
        let request = service.request(reqwest::Method::POST, "/api/v1/tasks");
        let request = request
            .header("Idempotency-Key", key)
            .json(&json!({"content": key}));
        assert_eq!(support::Answer::of(request).await.status, 201);
    }
    service.drained().await;
    let stopped = service.stop().await;
    let age = "UPDATE idempotency SET created_at = '2020-01-01T00:00:00.000000Z' WHERE key = 'old';
               UPDATE tasks SET created_at = '2020-01-01T00:00:00.000000Z',
                                started_at = '2020-01-01T00:00:00.000000Z',
                                finished_at = '2020-01-01T00:00:00.000000Z'";
    stopped.database().await.run(age).await.expect("rows");
    let service = stopped.start().await;
    eventually("the old key is gone", || async {
        let keys = service
            .database()
            .await
            .texts("SELECT key FROM idempotency")
            .await;
        (keys == ["recent"]).then_some(())
    })
    .await;
    assert_eq!(seqs(&service).await, [1, 2]);
    service.ends_well().await;
}

#[tokio::test]
async fn the_file_shrinks_after_many_were_deleted() {
    let setup = Setup::new()
        .setting("retention_completed", "\"1d\"")
        .setting("retention_failed", "\"1d\"")
        .setting("state_dump", false);
    let stopped = aged(setup, 2000, 3_000).await;
    let size = |stopped: &Stopped| {
        let file = fs::metadata(stopped.setup().database_path());
        file.expect("a database").len()
    };
    let before = size(&stopped);
    let service = stopped.start().await;
    eventually("half is gone and the space is given back", || async {
        let mut database = service.database().await;
        let tasks = database.number("SELECT count(*) FROM tasks").await;
        let free = database.number("PRAGMA freelist_count").await;
        (tasks == 1000 && free <= 256).then_some(())
    })
    .await;
    let after = size(&service.ends_well().await);
    assert!(after < before * 7 / 10, "{before} bytes, then {after}");
}
