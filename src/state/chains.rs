//! Tasks that wait for other tasks.
//!
//! A waiting task has a row in `links` for each upstream task that has not COMPLETED, and the number of
//! them in `blocked`. When an upstream task becomes final, a chore of the Writer's goes through its
//! links: it unblocks who waited for a success, and fails who waited in vain. A link goes in the same
//! transaction, so a crash between two chunks loses nothing: the next start goes through what is left.
//!
//! A task is deleted only after its links. A link to a task that is not there comes with a dump alone,
//! and stands for one that had COMPLETED, or the task that waits would have failed: it goes when all of
//! the dump is in.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqliteExecutor};
use utoipa::ToSchema;

use super::Error;
use super::announce::Committed;
use super::attempts::Waiting;
use super::chore::Chore;
use super::journal::Row;
use super::orders::journal;
use super::text::Text;
use super::transaction::{begin, end};
use super::writer::Writer;
use crate::models::{Failure, TaskId, TaskStatus, Timestamp};

/// Links gone through in one transaction.
const CHUNK_LINKS: i64 = 200;

/// What an upstream task has left, for those that wait for it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Upstream {
    #[schema(value_type = Uuid)]
    pub id: TaskId,
    pub status: TaskStatus,
    #[schema(required)]
    pub result: Option<String>,
}

/// What became of a chunk.
#[derive(Default)]
struct Chunk {
    /// Whether it held links, and there may be more.
    progress: Progress,
    unblocked: Vec<Waiting>,
    failed: Vec<(TaskId, String)>,
}

/// How far the links of a task have been gone through.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Progress {
    /// The task is not final: those that wait go on waiting.
    #[default]
    NotFinal,
    More,
    Done,
}

impl Writer {
    /// Somebody waits for these tasks, which may be final already.
    pub(super) fn await_any(&mut self, tasks: HashSet<TaskId>) {
        for task in tasks {
            self.ledger.upstream.insert(task);
            self.resolve(task);
        }
    }

    /// A task may have become final: goes through those that wait for it, soon.
    pub(super) fn resolve(&mut self, task: TaskId) {
        if self.ledger.upstream.contains(&task) {
            self.chores.push_back(Chore::Resolve(task));
        }
    }

    /// Goes through a chunk of the links of `upstream`, if it is final.
    pub(super) async fn resolve_chunk(&mut self, upstream: TaskId) -> Result<Progress, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = go_through(conn, upstream, time, &now).await;
        let (chunk, committed): (Chunk, Committed) = end(&mut self.conn, written).await?;
        self.ledger.blocked = (self.ledger.blocked)
            .saturating_sub((chunk.unblocked.len() + chunk.failed.len()) as u64);
        self.wait_in_line(&chunk.unblocked, time);
        for (task, processor) in &chunk.failed {
            self.meters.of(processor).failed(Failure::Upstream, 1);
            self.resolve(*task);
        }
        if chunk.progress == Progress::Done {
            self.ledger.upstream.remove(&upstream);
        }
        self.publish(committed).await;
        Ok(chunk.progress)
    }

    /// Goes through all that wait for those of these tasks (a JSON list of ids) that are final.
    pub(super) async fn resolve_all(&mut self, tasks: &str) -> Result<(), Error> {
        for task in final_and_awaited(&mut self.conn, tasks).await? {
            while self.resolve_chunk(task).await? == Progress::More {}
        }
        Ok(())
    }

    /// All of a dump is in: nobody waits any longer for tasks that are not there.
    pub(super) async fn forget_missing(&mut self) -> Result<(), Error> {
        for task in missing(&mut self.conn).await? {
            let time = Timestamp::now();
            let conn = &mut self.conn;
            begin(conn).await?;
            let written = forget(conn, &task).await;
            let unblocked = end(&mut self.conn, written).await?;
            self.ledger.blocked = (self.ledger.blocked).saturating_sub(unblocked.len() as u64);
            self.wait_in_line(&unblocked, time);
            self.ledger.upstream.remove(&task.parse_id()?);
        }
        Ok(())
    }

    fn wait_in_line(&mut self, tasks: &[Waiting], now: Timestamp) {
        for task in tasks {
            self.ledger.lanes.add(task.lane(), task.place(), now);
            self.ready.note(task.seq, now);
        }
        self.more_to_claim = true;
    }
}

async fn go_through(
    conn: &mut SqliteConnection,
    upstream: TaskId,
    time: Timestamp,
    now: &str,
) -> Result<(Chunk, Committed), Error> {
    let id = upstream.hyphenated().to_string();
    let status = sqlx::query_scalar!(
        r#"SELECT status AS "status!: Text" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(&mut *conn)
    .await?;
    let mut chunk = Chunk::default();
    let mut rows = Vec::new();
    match status.as_deref() {
        Some("COMPLETED") => {
            let downstream = downstream_of(conn, &id, &mut chunk).await?;
            chunk.unblocked = unblock(conn, &id, &downstream).await?;
        }
        Some("FAILED") => {
            let downstream = downstream_of(conn, &id, &mut chunk).await?;
            let error = format!("the upstream task {upstream} failed");
            chunk.failed = fail(conn, &downstream, &error, now).await?;
            let failed = chunk.failed.iter();
            rows.extend(failed.map(|(task, _)| Row::failed(*task, Failure::Upstream, &error, now)));
        }
        // Not final (it was retried), or not there: see `forget_missing`.
        _ => {}
    }
    let committed = journal(conn, rows, time).await?;
    Ok((chunk, committed))
}

/// Unblocks all that wait for a task that is not there.
async fn forget(conn: &mut SqliteConnection, upstream: &str) -> Result<Vec<Waiting>, Error> {
    let mut chunk = Chunk::default();
    let mut unblocked = Vec::new();
    while chunk.progress != Progress::Done {
        let downstream = downstream_of(conn, upstream, &mut chunk).await?;
        unblocked.extend(unblock(conn, upstream, &downstream).await?);
    }
    Ok(unblocked)
}

/// Some of those that wait for the task, as a JSON list of their ids.
async fn downstream_of(
    conn: &mut SqliteConnection,
    upstream: &str,
    chunk: &mut Chunk,
) -> Result<String, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT downstream AS "id!: Text" FROM links WHERE upstream = ?1 LIMIT ?2"#,
        upstream,
        CHUNK_LINKS
    )
    .fetch_all(conn)
    .await?;
    chunk.progress = match rows.len() as i64 {
        CHUNK_LINKS => Progress::More,
        _ => Progress::Done,
    };
    let ids: Vec<&str> = rows.iter().map(|id| &**id).collect();
    Ok(serde_json::to_string(&ids)?)
}

/// One upstream task less to wait for; those that wait for none any more.
async fn unblock(
    conn: &mut SqliteConnection,
    upstream: &str,
    downstream: &str,
) -> Result<Vec<Waiting>, Error> {
    sqlx::query!(
        "DELETE FROM links
          WHERE upstream = ?1 AND downstream IN (SELECT value FROM jsonb_each(?2))",
        upstream,
        downstream
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        r#"UPDATE tasks SET blocked = blocked - 1
            WHERE id IN (SELECT value FROM jsonb_each(?1))
              AND +status = 'PENDING' AND +blocked > 0
        RETURNING seq AS "seq!", processor AS "processor!: Text",
                  concurrency_key AS "concurrency_key: Text", priority AS "priority!",
                  run_at AS "run_at!: Text", blocked AS "blocked!""#,
        downstream
    )
    .fetch_all(conn)
    .await?;
    let free = rows.into_iter().filter(|row| row.blocked == 0);
    let free = free.map(|row| Waiting {
        seq: row.seq,
        processor: row.processor.into(),
        concurrency_key: row.concurrency_key.map(String::from),
        priority: row.priority,
        run_at: row.run_at.time_or_now(),
    });
    Ok(free.collect())
}

/// Who waits in vain fails.
async fn fail(
    conn: &mut SqliteConnection,
    downstream: &str,
    error: &str,
    now: &str,
) -> Result<Vec<(TaskId, String)>, Error> {
    sqlx::query!(
        "DELETE FROM links WHERE downstream IN (SELECT value FROM jsonb_each(?1))",
        downstream
    )
    .execute(&mut *conn)
    .await?;
    let rows = sqlx::query!(
        r#"UPDATE tasks
              SET status = 'FAILED', failure = 'upstream', error = ?2, finished_at = ?3,
                  blocked = 0
            WHERE id IN (SELECT value FROM jsonb_each(?1))
              AND +status = 'PENDING' AND +blocked > 0
        RETURNING id AS "id!: Text", processor AS "processor!: Text""#,
        downstream,
        error,
        now
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.id.parse_id()?, row.processor.into())))
        .collect()
}

/// The tasks that somebody waits for.
pub(super) async fn awaited(conn: &mut SqliteConnection) -> Result<Vec<TaskId>, Error> {
    let rows = sqlx::query_scalar!(r#"SELECT DISTINCT upstream AS "id!: Text" FROM links"#)
        .fetch_all(conn)
        .await?;
    rows.iter().map(Text::parse_id).collect()
}

/// Those of these tasks (a JSON list of ids) that are final and that somebody waits for.
async fn final_and_awaited(conn: &mut SqliteConnection, tasks: &str) -> Result<Vec<TaskId>, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT tasks.id AS "id!: Text"
             FROM jsonb_each(?1) AS chosen CROSS JOIN tasks ON tasks.id = chosen.value
            WHERE tasks.finished_at IS NOT NULL
              AND EXISTS (SELECT 1 FROM links WHERE upstream = tasks.id)"#,
        tasks
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(Text::parse_id).collect()
}

/// The tasks that somebody waits for and that are not there.
async fn missing(conn: &mut SqliteConnection) -> Result<Vec<Text>, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT upstream AS "id!: Text" FROM links
            WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = links.upstream)"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// The tasks that a task still waits for, with their status if they are there.
pub(super) async fn awaited_by(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
) -> Result<Vec<(TaskId, Option<TaskStatus>)>, Error> {
    let id = task.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT links.upstream AS "id!: Text", up.status AS "status?: Text"
             FROM tasks AS down CROSS JOIN json_each(down.upstream) AS named
             CROSS JOIN links ON links.upstream = named.value AND links.downstream = down.id
             LEFT JOIN tasks AS up ON up.id = links.upstream
            WHERE down.id = ?1 ORDER BY named.key"#,
        id
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.map(|status| status.parse());
            let status = status.transpose();
            let status = status.map_err(|_| Error::BadRow("tasks.status".to_owned()))?;
            Ok((row.id.parse_id()?, status))
        })
        .collect()
}

/// A task's upstream tasks, in the order in which it named them.
pub(super) async fn upstream_of(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
) -> Result<Vec<Upstream>, Error> {
    let id = task.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT up.id AS "id!: Text", up.status AS "status!: Text", up.result AS "result: Text"
             FROM tasks AS down CROSS JOIN json_each(down.upstream) AS named
             CROSS JOIN tasks AS up ON up.id = named.value
            WHERE down.id = ?1 ORDER BY named.key"#,
        id
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse();
            Ok(Upstream {
                id: row.id.parse_id()?,
                status: status.map_err(|_| Error::BadRow("tasks.status".to_owned()))?,
                result: row.result.map(String::from),
            })
        })
        .collect()
}
