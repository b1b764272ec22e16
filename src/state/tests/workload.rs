//! A little of everything that the Writer writes, with a record of what it acknowledged.

use std::path::Path;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::config::Durability;
use crate::models::{HiveLink, NewTask, Outcome, TaskId};
use crate::state::commands::delete::Deleted;
use crate::state::commands::pause::PauseQueue;
use crate::state::db::vfs;
use crate::state::dispatch::limits::Limits;
use crate::state::error::Error;
use crate::state::startup::{Start, WriterHandle, open};
use crate::state::store::StateManager;
use crate::state::tests::Claims;

const PROCESSOR: &str = "far";

/// What the Writer acknowledged.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledged {
    pub(super) submitted: Vec<TaskId>,
    pub(super) deleted: Vec<TaskId>,
}

/// The record, which the test reads at any moment.
pub(super) type Record = Arc<Mutex<Acknowledged>>;

/// A state on a disk of the VFS.
pub(super) struct Running {
    pub(super) state: StateManager,
    claims: Claims,
    writer: WriterHandle,
    record: Record,
}

/// Opens the database at `path` as a start of the service does.
pub(super) async fn start(
    path: &Path,
    durability: Durability,
    record: Record,
) -> Result<Running, String> {
    let text = |error: Error| error.to_string();
    let opened = open(path, durability).await;
    let mut opened = opened.map_err(|error| error.to_string())?;
    opened.recover(|_| false).await.map_err(text)?;
    let start = Start {
        limits: Limits {
            running: Some(4),
            running_bytes: 1 << 20,
            ..Limits::default()
        },
        metrics: crate::metrics::Metrics::default(),
        poll_interval: std::time::Duration::from_secs(1),
        inbox_limit_bytes: 1 << 20,
        default_processor: PROCESSOR,
        max_attempts: std::collections::BTreeMap::new(),
        hive: HiveLink::Off,
    };
    let (state, writer, _lock) = opened.start(start).await.map_err(text)?;
    let claims = state.claim().await.map_err(text)?;
    Ok(Running {
        state,
        claims,
        writer,
        record,
    })
}

impl Running {
    /// Submits, finishes, deletes, pauses and checkpoints. What fails, fails.
    pub(super) async fn work(&mut self, path: &Path) {
        self.submit(6).await;
        let finished = self.finish(4).await;
        self.submit_large(18).await;
        let _ = self.state.pause(PauseQueue::default()).await;
        self.checkpoint(path).await;
        self.delete(&finished).await;
        self.submit(3).await;
        let _ = self.state.resume(None).await;
        self.finish(2).await;
        self.checkpoint(path).await;
        let _ = self.state.purge().await;
        self.submit(2).await;
    }

    /// Submits tasks at the same time.
    pub(super) async fn submit(&self, count: usize) {
        let submitted = (0..count).map(|_| async {
            let reservation = self.state.reserve(1)?;
            let task = NewTask::new("content", PROCESSOR);
            self.state.submit(task, None, reservation).await
        });
        let accepted = join_all(submitted).await.into_iter().flatten();
        let mut record = self.record.lock().unwrap();
        record.submitted.extend(accepted.map(|task| task.task_id));
    }

    /// Submits tasks in one transaction that is longer than one write.
    async fn submit_large(&self, count: usize) {
        let task = NewTask::new("large ".repeat(1000), PROCESSOR);
        let Ok(reservation) = self.state.reserve(1) else {
            return;
        };
        let accepted = self
            .state
            .submit_all(vec![task; count], None, reservation)
            .await;
        let mut record = self.record.lock().unwrap();
        record.submitted.extend(accepted.into_iter().flatten());
    }

    /// Finishes tasks that have been claimed; returns them.
    async fn finish(&mut self, count: usize) -> Vec<TaskId> {
        // Every claim of an answered submission has been sent.
        let _ = self.state.writer_is_done().await;
        let mut finished = Vec::new();
        while finished.len() < count
            && let Ok(tasks) = self.claims.try_recv()
        {
            for task in tasks {
                let result = "result ".repeat(500);
                self.state
                    .finish(task.attempt, Outcome::Completed { result })
                    .await;
                finished.push(task.attempt.task_id);
            }
        }
        let _ = self.state.writer_is_done().await;
        finished
    }

    async fn delete(&self, tasks: &[TaskId]) {
        for &task in tasks {
            // While it runs, the record does not know whether the row is there.
            let is_submitted = |id: &TaskId| *id != task;
            self.record.lock().unwrap().submitted.retain(is_submitted);
            let deleted = self.state.delete(task).await;
            let mut record = self.record.lock().unwrap();
            match deleted {
                Ok(Deleted::Done) => record.deleted.push(task),
                Ok(_) => record.submitted.push(task),
                Err(_) => {}
            }
        }
    }

    /// Copies the WAL into the database, and lets it begin again.
    async fn checkpoint(&self, path: &Path) {
        let options = SqliteConnectOptions::new().filename(path);
        if let Ok(mut conn) = options.vfs(vfs::register()).connect().await {
            let checkpoint = sqlx::query("PRAGMA wal_checkpoint(RESTART)");
            let _ = checkpoint.execute(&mut conn).await;
            let _ = conn.close().await;
        }
    }

    /// Closes the database.
    pub(super) async fn close(self) {
        let _ = self.state.close().await;
        drop(self.claims);
        let _ = self.writer.await.unwrap();
    }
}

/// Returns what is wrong with a database that no process has open: damage, and what was acknowledged and is not so.
pub(super) async fn problems(path: &Path, acknowledged: &Acknowledged) -> Vec<String> {
    let audit = crate::state::audit(path).await.unwrap();
    let options = SqliteConnectOptions::new().filename(path);
    let mut conn = options.connect().await.unwrap();
    let ids = sqlx::query_scalar("SELECT id FROM tasks");
    let ids: Vec<String> = ids.fetch_all(&mut conn).await.unwrap();
    conn.close().await.unwrap();
    let is_there = |task: &&TaskId| ids.contains(&task.to_string());
    let lost = acknowledged.submitted.iter().filter(|task| !is_there(task));
    let back = acknowledged.deleted.iter().filter(is_there);
    let lost = lost.map(|task| format!("{task} is lost"));
    let back = back.map(|task| format!("{task} is back"));
    audit.problems().chain(lost).chain(back).collect()
}
