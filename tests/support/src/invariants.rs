//! What is true of every database at the end of every test, whatever the test did.

use crate::database::Database;
use crate::service::{Service, Stopped};
use crate::wait::eventually;

#[path = "../../../src/state/audit/invariants.rs"]
mod rows;

/// What holds as long as nobody sets the clock back: on a user's machine somebody may.
const NO_TIME_TRAVEL: (&str, &str) = (
    "tasks that finished before they started",
    "SELECT id FROM tasks WHERE finished_at < started_at",
);

impl Database {
    /// Fails unless the file is sound and every row in it may be there.
    pub async fn check(&mut self) {
        let integrity = self.texts("PRAGMA integrity_check").await;
        assert_eq!(integrity, ["ok"]);
        for (what, sql) in rows::INVARIANTS.into_iter().chain([NO_TIME_TRAVEL]) {
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
    /// Fails unless what a clean stop left is sound and nothing runs in it but for what outside workers have.
    pub async fn check(&self) {
        let mut database = self.database().await;
        database.check().await;
        let running = "SELECT id FROM tasks WHERE status = 'PROCESSING' AND leased_until IS NULL";
        let running = database.texts(running).await;
        assert!(running.is_empty(), "running after the stop: {running:?}");
    }
}
