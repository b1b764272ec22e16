//! Tasks that wait for other tasks.
//!
//! A waiting task has a row in `links` for each upstream task that has not COMPLETED, and the number of
//! them in `blocked`. When an upstream task becomes final, a chore of the Writer's goes through its
//! links: it unblocks who waited for a success, and fails who waited in vain. A link goes in the same
//! transaction, so a crash between two chunks loses nothing: the next start goes through what is left.
//!
//! A task that an open one names in `after` is not deleted (`open_dependencies`, kept by triggers): the open one
//! still needs its result. Another program can delete it all the same, and a dump may not hold it. Then who
//! waits for it fails, and so does who starts later ([`problem_of`]): no task runs with half its input.

pub(super) mod cycles;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqliteExecutor};
use utoipa::ToSchema;

use crate::models::{Failure, TaskId, TaskStatus, Timestamp};
use crate::state::commands::journal;
use crate::state::db::text::Text;
use crate::state::dependencies::cycles::{circles, links_of_waiting};
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::retry::sql::Waiting;
use crate::state::writer::background::BackgroundJob;
use crate::state::writer::publish::Committed;
use crate::state::writer::run::Writer;

/// Links gone through in one transaction.
const CHUNK_LINKS: i64 = 200;

/// What an upstream task has left, for those that wait for it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Upstream {
    #[schema(value_type = Uuid)]
    pub(crate) id: TaskId,
    pub(crate) status: TaskStatus,
    #[schema(required)]
    pub(crate) result: Option<String>,
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
pub(crate) enum Progress {
    /// The task is not final: those that wait go on waiting.
    #[default]
    NotFinal,
    More,
    Done,
}

impl Writer {
    /// Somebody waits for these tasks, which may be final already.
    pub(crate) fn await_any(&mut self, tasks: HashSet<TaskId>) {
        for task in tasks {
            self.queue_state.awaited.insert(task);
            self.resolve(task);
        }
    }

    /// A task may have become final: goes through those that wait for it, soon.
    pub(crate) fn resolve(&mut self, task: TaskId) {
        if self.queue_state.awaited.contains(&task) {
            self.chores.push_back(BackgroundJob::Resolve(task));
        }
    }

    /// Goes through a chunk of the links of `upstream`, if it is final.
    pub(crate) async fn resolve_chunk(&mut self, upstream: TaskId) -> Result<Progress, Error> {
        let time = Timestamp::now();
        let now = time.to_string();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = go_through(conn, upstream, time, &now).await;
        let (chunk, committed): (Chunk, Committed) = self.end(written).await?;
        let progress = self.count_chunk(chunk, committed).await;
        if progress == Progress::Done {
            self.queue_state.awaited.remove(&upstream);
        }
        Ok(progress)
    }

    async fn count_chunk(&mut self, chunk: Chunk, committed: Committed) -> Progress {
        self.queue_state.blocked = (self.queue_state.blocked)
            .saturating_sub((chunk.unblocked.len() + chunk.failed.len()) as u64);
        self.wait_in_line(&chunk.unblocked, committed.time);
        for (task, processor) in &chunk.failed {
            self.meters.of(processor).failed(Failure::Upstream, 1);
            self.resolve(*task);
        }
        self.publish(committed).await;
        chunk.progress
    }

    /// Goes through all that wait for those of these tasks (a JSON list of ids) that are final.
    pub(crate) async fn resolve_all(&mut self, tasks: &str) -> Result<(), Error> {
        for task in final_and_awaited(&mut self.conn, tasks).await? {
            while self.resolve_chunk(task).await? == Progress::More {}
        }
        Ok(())
    }

    /// Fails who waits in vain: for tasks that are not there, or in a circle. Not while a dump comes in, whose
    /// tasks may come in any order.
    pub(crate) async fn fail_hopeless(&mut self) -> Result<(), Error> {
        let missing = missing(&mut self.conn).await?;
        self.fail_missing(missing).await?;
        let links = links_of_waiting(&mut self.conn).await?;
        let links = links.into_iter().filter_map(|(upstream, downstream)| {
            Some((
                TaskId::parse_str(&upstream).ok()?,
                TaskId::parse_str(&downstream).ok()?,
            ))
        });
        let circles = circles(&links.collect::<Vec<_>>());
        for members in circles.chunks(CHUNK_LINKS as usize) {
            let time = Timestamp::now();
            self.begin().await?;
            let conn = &mut self.conn;
            let written = fail_members(conn, members, time).await;
            let (chunk, committed) = self.end(written).await?;
            self.count_chunk(chunk, committed).await;
        }
        Ok(())
    }

    /// Fails who waits for these tasks, as far as they are not there.
    pub(crate) async fn fail_missing(&mut self, missing: Vec<TaskId>) -> Result<(), Error> {
        for upstream in missing {
            loop {
                let time = Timestamp::now();
                self.begin().await?;
                let conn = &mut self.conn;
                let written = fail_without(conn, upstream, time).await;
                let (chunk, committed): (Chunk, Committed) = self.end(written).await?;
                match self.count_chunk(chunk, committed).await {
                    Progress::More => {}
                    Progress::NotFinal => break,
                    Progress::Done => {
                        self.queue_state.awaited.remove(&upstream);
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    fn wait_in_line(&mut self, tasks: &[Waiting], now: Timestamp) {
        for task in tasks {
            self.queue_state.lanes.add(task.lane(), task.place(), now);
            self.due_since.record(task.seq, now);
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
            rows.extend(
                failed.map(|(task, _)| JournalEntry::failed(*task, Failure::Upstream, &error, now)),
            );
        }
        // Not final (it was retried), or not there: see `fail_hopeless`.
        _ => {}
    }
    let committed = journal(conn, rows, time).await?;
    Ok((chunk, committed))
}

/// Fails some of those that wait for a task that is not there; none if it is.
async fn fail_without(
    conn: &mut SqliteConnection,
    upstream: TaskId,
    time: Timestamp,
) -> Result<(Chunk, Committed), Error> {
    let id = upstream.hyphenated().to_string();
    let now = time.to_string();
    let mut chunk = Chunk::default();
    let is_there = sqlx::query_scalar!(r#"SELECT 1 AS "one!: i64" FROM tasks WHERE id = ?1"#, id)
        .fetch_optional(&mut *conn)
        .await?;
    let mut rows = Vec::new();
    if is_there.is_none() {
        let downstream = downstream_of(conn, &id, &mut chunk).await?;
        let error = is_missing(upstream);
        chunk.failed = fail(conn, &downstream, &error, &now).await?;
        let failed = chunk.failed.iter();
        rows.extend(
            failed.map(|(task, _)| JournalEntry::failed(*task, Failure::Upstream, &error, &now)),
        );
    }
    let committed = journal(conn, rows, time).await?;
    Ok((chunk, committed))
}

/// Fails tasks that wait in a circle, each with the one that it waits for.
async fn fail_members(
    conn: &mut SqliteConnection,
    members: &[(TaskId, TaskId)],
    time: Timestamp,
) -> Result<(Chunk, Committed), Error> {
    let now = time.to_string();
    let mut chunk = Chunk::default();
    let mut rows = Vec::new();
    for (task, upstream) in members {
        let error = match task == upstream {
            true => "the task waits for itself".to_owned(),
            false => format!(
                "the task waits for itself in a circle: the upstream task {upstream} waits for it too"
            ),
        };
        let id = serde_json::to_string(&[task])?;
        let failed = fail(conn, &id, &error, &now).await?;
        rows.extend(
            failed
                .iter()
                .map(|(task, _)| JournalEntry::failed(*task, Failure::Upstream, &error, &now)),
        );
        chunk.failed.extend(failed);
    }
    let committed = journal(conn, rows, time).await?;
    Ok((chunk, committed))
}

fn is_missing(upstream: TaskId) -> String {
    Error::NoInput { task_id: upstream }.to_string()
}

/// Why a task that is about to run must not: the first of its upstream tasks that has left it no result, as a
/// sentence.
pub(crate) async fn problem_of(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
) -> Result<Option<String>, Error> {
    let id = task.hyphenated().to_string();
    let row = sqlx::query!(
        r#"SELECT CAST(named.value AS TEXT) AS "id!: Text", up.status AS "status?: Text"
             FROM tasks AS down CROSS JOIN json_each(
                CASE WHEN json_valid(down.upstream) THEN down.upstream ELSE '[]' END) AS named
             LEFT JOIN tasks AS up ON up.id = named.value
            WHERE down.id = ?1 AND up.status IS NOT 'COMPLETED' ORDER BY named.key LIMIT 1"#,
        id
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else {
        return Ok(None);
    };
    let upstream = row.id.parse_id()?;
    Ok(Some(match row.status.as_deref() {
        None => is_missing(upstream),
        Some("FAILED") => format!("the upstream task {upstream} failed"),
        Some(status) => {
            format!("the upstream task {upstream} is {status} again, and so its result is missing")
        }
    }))
}

/// The first open task that names one of these tasks (a JSON list of ids) in `after`.
pub(crate) async fn needed_by(
    conn: &mut SqliteConnection,
    tasks: &str,
) -> Result<Vec<(TaskId, TaskId)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT upstream AS "upstream!: Text", min(downstream) AS "downstream!: Text"
             FROM open_dependencies WHERE upstream IN (SELECT value FROM jsonb_each(?1))
            GROUP BY upstream"#,
        tasks
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.upstream.parse_id()?, row.downstream.parse_id()?)))
        .collect()
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
pub(crate) async fn awaited(conn: &mut SqliteConnection) -> Result<Vec<TaskId>, Error> {
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
pub(crate) async fn missing(conn: &mut SqliteConnection) -> Result<Vec<TaskId>, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT upstream AS "id!: Text" FROM links
            WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = links.upstream)"#
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(Text::parse_id).collect()
}

/// The tasks that a task still waits for, with their status if they are there.
pub(crate) async fn awaited_by(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
) -> Result<Vec<(TaskId, Option<TaskStatus>)>, Error> {
    let id = task.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT links.upstream AS "id!: Text", up.status AS "status?: Text"
             FROM tasks AS down CROSS JOIN json_each(
                CASE WHEN json_valid(down.upstream) THEN down.upstream ELSE '[]' END) AS named
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

/// A task's upstream tasks, in the order in which it named them. One that is not there is an error.
pub(crate) async fn upstream_of(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
) -> Result<Vec<Upstream>, Error> {
    let id = task.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT CAST(named.value AS TEXT) AS "id!: Text", up.status AS "status?: Text",
                  up.result AS "result?: Text"
             FROM tasks AS down CROSS JOIN json_each(down.upstream) AS named
             LEFT JOIN tasks AS up ON up.id = named.value
            WHERE down.id = ?1 ORDER BY named.key"#,
        id
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let id = row.id.parse_id()?;
            let Some(status) = row.status else {
                return Err(Error::NoInput { task_id: id });
            };
            let status = status.parse();
            Ok(Upstream {
                id,
                status: status.map_err(|_| Error::BadRow("tasks.status".to_owned()))?,
                result: row.result.map(String::from),
            })
        })
        .collect()
}
