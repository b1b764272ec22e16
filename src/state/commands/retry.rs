//! Retry by hand: FAILED tasks become PENDING again, with all their attempts before them.

use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::list::FoundTask;
use crate::state::retry::requeue;
use crate::state::retry::requeue::{Requeued, RetryAt, blocked_by, requeue_failed, unblocked};
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;
use crate::state::writer::publish::Committed;

/// Retries one task.
pub(crate) struct RetryTask(pub(crate) TaskId, pub(crate) RetryAt);

/// The answer to a retry by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retried {
    Done {
        /// It does not start before this time, which it was given when it was submitted.
        later: Option<Timestamp>,
    },
    /// There is no such task.
    Missing,
    /// It has not FAILED.
    NotFailed,
}

impl WriterCommand for RetryTask {
    type Answer = Retried;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<Retried, Error> {
        let Self(task, at) = self;
        match core.status_of(task).await? {
            None => return Ok(Retried::Missing),
            Some(TaskStatus::Failed) => {}
            Some(_) => return Ok(Retried::NotFailed),
        }
        if let Some(blocked) = blocked_by(&mut core.db.conn, &[task]).await?.pop() {
            return Err(Error::Conflict(blocked.to_string()));
        }
        let time = Timestamp::now();
        let written = core.transact(time, async |conn| {
            requeue_failed(conn, &[task], at, time, actor).await
        });
        let (requeued, committed) = written.await?;
        core.apply_requeued(&requeued, committed).await;
        let starts_at = requeued.first().map(|task| task.waiting.run_at);
        Ok(Retried::Done {
            later: starts_at.filter(|run_at| *run_at > time),
        })
    }
}

impl Core {
    /// Retries those of these tasks that have FAILED and are as they were found, and returns the count.
    pub(crate) async fn retry_found(
        &mut self,
        found: &[FoundTask],
        at: RetryAt,
        actor: Option<&str>,
    ) -> Result<u64, Error> {
        let time = Timestamp::now();
        let written = self.transact(time, async |conn| {
            let tasks = requeue::retriable(conn, found).await?;
            let tasks = unblocked(conn, tasks).await?;
            requeue_failed(conn, &tasks, at, time, actor).await
        });
        let (requeued, committed) = written.await?;
        self.apply_requeued(&requeued, committed).await;
        Ok(requeued.len() as u64)
    }

    async fn apply_requeued(&mut self, requeued: &[Requeued], committed: Committed) {
        for task in requeued {
            if task.upstream.is_empty() {
                let (lane, place) = (task.waiting.lane(), task.waiting.place());
                self.queue.lanes.add(lane, place, committed.time);
            } else {
                self.queue.blocked += 1;
                self.queue.awaited.extend(&task.upstream);
            }
        }
        self.more_to_claim = true;
        self.publish(committed).await;
    }

    /// The status of a task; `None` if there is no such task.
    pub(crate) async fn status_of(&mut self, task: TaskId) -> Result<Option<TaskStatus>, Error> {
        status_of(&mut self.db.conn, task).await
    }
}

async fn status_of(conn: &mut SqliteConnection, task: TaskId) -> Result<Option<TaskStatus>, Error> {
    let id = task.hyphenated().to_string();
    let status = sqlx::query_scalar!(
        r#"SELECT status AS "status!: Text" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    status
        .map(|status| status.parse())
        .transpose()
        .map_err(|_| Error::BadRow("tasks.status".to_owned()))
}
