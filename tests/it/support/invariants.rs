//! What is true of every database at the end of every test, whatever the test did.

use super::database::Database;
use super::service::{Service, Stopped};
use super::wait::eventually;

/// Each names a set of rows that has to be empty.
const ALWAYS_EMPTY: [(&str, &str); 14] = [
    (
        "tasks with an illegal status",
        "SELECT id FROM tasks
          WHERE status NOT IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')",
    ),
    (
        "tasks whose finished_at does not fit their status",
        "SELECT id FROM tasks
          WHERE (finished_at IS NOT NULL) <> (status IN ('COMPLETED', 'FAILED'))",
    ),
    (
        "tasks whose failure does not fit their status",
        "SELECT id FROM tasks WHERE (failure IS NOT NULL) <> (status = 'FAILED')",
    ),
    (
        "tasks that run but never started",
        "SELECT id FROM tasks
          WHERE status = 'PROCESSING' AND (started_at IS NULL OR attempt < 1)",
    ),
    (
        "tasks without exactly one TASK_CREATED, before everything else about them",
        "SELECT id FROM tasks
          WHERE (SELECT count(*) FROM logs WHERE task_id = tasks.id AND type = 'TASK_CREATED') <> 1
             OR (SELECT type FROM logs WHERE task_id = tasks.id ORDER BY logs.id LIMIT 1)
                    <> 'TASK_CREATED'",
    ),
    (
        "tasks of the service without a TASK_STARTED for each attempt",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND attempt <> (SELECT count(*) FROM logs
                             WHERE task_id = tasks.id AND type = 'TASK_STARTED')",
    ),
    (
        "tasks of the service whose last word does not fit their status",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND (status IN ('COMPLETED', 'FAILED')) <> ((SELECT type FROM logs
                    WHERE task_id = tasks.id ORDER BY logs.id DESC LIMIT 1)
                IN ('TASK_COMPLETED', 'TASK_FAILED', 'TASK_ABORTED'))",
    ),
    (
        "tasks of the service that ended other than once, and once more for each retry by hand",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND (status IN ('COMPLETED', 'FAILED'))
                <> (SELECT count(*) FROM logs
                    WHERE task_id = tasks.id
                      AND type IN ('TASK_COMPLETED', 'TASK_FAILED', 'TASK_ABORTED'))
                - (SELECT count(*) FROM logs
                    WHERE task_id = tasks.id AND type = 'TASK_RETRYING'
                      AND message LIKE '% retried by hand; %')",
    ),
    (
        "tasks that ran more often than they may",
        "SELECT id FROM tasks WHERE source <> 'import' AND attempt - uncounted > max_attempts",
    ),
    (
        "waiting tasks that are blocked by another number of tasks than they wait for",
        "SELECT id FROM tasks
          WHERE status = 'PENDING'
            AND blocked <> (SELECT count(*) FROM links WHERE downstream = tasks.id)",
    ),
    (
        "open tasks that share a unique key",
        "SELECT min(id) FROM tasks WHERE finished_at IS NULL AND unique_key IS NOT NULL
          GROUP BY unique_key HAVING count(*) > 1",
    ),
    (
        "times in another format than the one that sorts",
        "SELECT id FROM tasks
          WHERE created_at NOT GLOB '????-??-??T??:??:??.??????Z'
             OR run_at NOT GLOB '????-??-??T??:??:??.??????Z'
             OR finished_at NOT GLOB '????-??-??T??:??:??.??????Z'",
    ),
    (
        "tasks that finished before they started",
        "SELECT id FROM tasks WHERE finished_at < started_at",
    ),
    (
        "events that are no JSON objects, or have an id that SQLite did not give",
        "SELECT CAST(id AS TEXT) FROM logs
          WHERE json_type(data) <> 'object' OR id < 1
             OR id > (SELECT seq FROM sqlite_sequence WHERE name = 'logs')",
    ),
];

impl Database {
    /// Fails unless the file is sound and every row in it may be there.
    pub async fn check(&mut self) {
        let integrity = self.texts("PRAGMA integrity_check").await;
        assert_eq!(integrity, ["ok"]);
        for (what, sql) in ALWAYS_EMPTY {
            let found = self.texts(sql).await;
            assert!(found.is_empty(), "{what}: {found:?}");
        }
    }
}

impl Service {
    /// The end of every test: what the service says is what the database holds; it stops cleanly;
    /// and what it leaves is sound.
    pub async fn ends_well(self) -> Stopped {
        let mut database = self.database().await;
        eventually("the queue's status is what the rows say", || async {
            let status = self.queue_status().await;
            assert_eq!(status["active"], status["processing"]);
            let mut rows = self.database().await;
            let count = |status| format!("SELECT count(*) FROM tasks WHERE status = '{status}'");
            let running = rows.number(&count("PROCESSING")).await;
            let waiting = rows.number(&count("PENDING")).await;
            (status["active"] == running && status["pending"] == waiting).then_some(())
        })
        .await;
        database.check().await;
        drop(database);
        let stopped = self.stop().await;
        stopped.check().await;
        stopped
    }
}

impl Stopped {
    /// Fails unless what a clean stop left is sound and nothing runs in it.
    pub async fn check(&self) {
        let mut database = self.database().await;
        database.check().await;
        let running = "SELECT id FROM tasks WHERE status = 'PROCESSING'";
        let running = database.texts(running).await;
        assert!(running.is_empty(), "running after the stop: {running:?}");
    }
}
