//! The SQL of dependencies: tasks that are blocked until other tasks have COMPLETED.
//!
//! A blocked task has an edge (a row in `links`) for each upstream task that has not COMPLETED, and the number of
//! them in `blocked`. When an upstream task becomes final, a background job of the Writer processes its
//! edges: it unblocks the dependents of a success, and fails those of a failure. The edge is deleted in the same
//! transaction, so a crash between two chunks loses nothing: the next start processes what is left.
//!
//! A task that an open one names in `after` is not deleted (`open_dependencies`, kept by triggers): the open one
//! still needs its result. Another program can delete it all the same, and a dump may lack it. Then its
//! dependents fail, also those that would start later ([`problem_of`]): no task runs with half its input.

pub(super) mod cycles;

use serde::{Deserialize, Serialize};
use sqlx::{SqliteConnection, SqliteExecutor};
use utoipa::ToSchema;

use crate::models::{Failure, TaskId, TaskStatus};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::retry::sql::Waiting;

/// Edges processed in one transaction.
pub(crate) const CHUNK_LINKS: i64 = 200;

/// An upstream task with its result, as its dependents get it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Upstream {
    #[schema(value_type = Uuid)]
    pub(crate) id: TaskId,
    pub(crate) status: TaskStatus,
    #[schema(required)]
    pub(crate) result: Option<String>,
}

/// The result of a chunk of edges.
#[derive(Default)]
pub(crate) struct EdgeChunk {
    pub(crate) progress: EdgeProgress,
    /// Tasks that depend on nothing any more.
    pub(crate) unblocked: Vec<Waiting>,
    /// Tasks that have FAILED, each with its processor.
    pub(crate) failed: Vec<(TaskId, String)>,
}

/// How far the edges of a task have been processed.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum EdgeProgress {
    /// The task is not final: its dependents stay blocked.
    #[default]
    NotFinal,
    More,
    Done,
}

/// Unblocks or fails some of the dependents of `upstream`, if it is final. Inside the caller's transaction.
pub(crate) async fn process_edges(
    conn: &mut SqliteConnection,
    upstream: TaskId,
    now: &str,
) -> Result<(EdgeChunk, Vec<JournalEntry>), Error> {
    let id = upstream.hyphenated().to_string();
    let status = sqlx::query_scalar!(
        r#"SELECT status AS "status!: Text" FROM tasks WHERE id = ?1"#,
        id
    )
    .fetch_optional(&mut *conn)
    .await?;
    let mut chunk = EdgeChunk::default();
    let mut rows = Vec::new();
    match status.as_deref() {
        Some("COMPLETED") => {
            let downstream = some_dependents(conn, &id, &mut chunk).await?;
            chunk.unblocked = unblock(conn, &id, &downstream).await?;
        }
        Some("FAILED") => {
            let downstream = some_dependents(conn, &id, &mut chunk).await?;
            let error = format!("the upstream task {upstream} failed");
            chunk.failed = fail(conn, &downstream, &error, now).await?;
            let failed = chunk.failed.iter();
            rows.extend(
                failed.map(|(task, _)| JournalEntry::failed(*task, Failure::Upstream, &error, now)),
            );
        }
        // Not final (it was retried), or missing: see `fail_dependents_of_missing`.
        _ => {}
    }
    Ok((chunk, rows))
}

/// Fails some of the dependents of a task that does not exist; none if it does. Inside the caller's transaction.
pub(crate) async fn fail_dependents_of_missing(
    conn: &mut SqliteConnection,
    upstream: TaskId,
    now: &str,
) -> Result<(EdgeChunk, Vec<JournalEntry>), Error> {
    let id = upstream.hyphenated().to_string();
    let mut chunk = EdgeChunk::default();
    let is_there = sqlx::query_scalar!(r#"SELECT 1 AS "one!: i64" FROM tasks WHERE id = ?1"#, id)
        .fetch_optional(&mut *conn)
        .await?;
    let mut rows = Vec::new();
    if is_there.is_none() {
        let downstream = some_dependents(conn, &id, &mut chunk).await?;
        let error = is_missing(upstream);
        chunk.failed = fail(conn, &downstream, &error, now).await?;
        let failed = chunk.failed.iter();
        rows.extend(
            failed.map(|(task, _)| JournalEntry::failed(*task, Failure::Upstream, &error, now)),
        );
    }
    Ok((chunk, rows))
}

/// Fails tasks that depend on each other in a cycle; each is given with the one that it depends on. Inside the
/// caller's transaction.
pub(crate) async fn fail_cycle_members(
    conn: &mut SqliteConnection,
    members: &[(TaskId, TaskId)],
    now: &str,
) -> Result<(EdgeChunk, Vec<JournalEntry>), Error> {
    let mut chunk = EdgeChunk::default();
    let mut rows = Vec::new();
    for (task, upstream) in members {
        let error = match task == upstream {
            true => "the task waits for itself".to_owned(),
            false => format!(
                "the task waits for itself in a circle: the upstream task {upstream} waits for it too"
            ),
        };
        let id = serde_json::to_string(&[task])?;
        let failed = fail(conn, &id, &error, now).await?;
        rows.extend(
            failed
                .iter()
                .map(|(task, _)| JournalEntry::failed(*task, Failure::Upstream, &error, now)),
        );
        chunk.failed.extend(failed);
    }
    Ok((chunk, rows))
}

fn is_missing(upstream: TaskId) -> String {
    Error::NoInput { task_id: upstream }.to_string()
}

/// Why a task that is about to run must not, as a sentence: the first of its upstream tasks without a result.
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

/// Some of the dependents of a task, as a JSON list of their ids.
async fn some_dependents(
    conn: &mut SqliteConnection,
    upstream: &str,
    chunk: &mut EdgeChunk,
) -> Result<String, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT downstream AS "id!: Text" FROM links WHERE upstream = ?1 LIMIT ?2"#,
        upstream,
        CHUNK_LINKS
    )
    .fetch_all(conn)
    .await?;
    chunk.progress = match rows.len() as i64 {
        CHUNK_LINKS => EdgeProgress::More,
        _ => EdgeProgress::Done,
    };
    let ids: Vec<&str> = rows.iter().map(|id| &**id).collect();
    Ok(serde_json::to_string(&ids)?)
}

/// Deletes these edges, and returns the tasks that depend on nothing any more.
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

/// Fails blocked tasks, and returns them with their processors.
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

/// The tasks that have dependents.
pub(crate) async fn awaited(conn: &mut SqliteConnection) -> Result<Vec<TaskId>, Error> {
    let rows = sqlx::query_scalar!(r#"SELECT DISTINCT upstream AS "id!: Text" FROM links"#)
        .fetch_all(conn)
        .await?;
    rows.iter().map(Text::parse_id).collect()
}

/// Those of these tasks (a JSON list of ids) that are final and have dependents.
pub(crate) async fn final_and_awaited(
    conn: &mut SqliteConnection,
    tasks: &str,
) -> Result<Vec<TaskId>, Error> {
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

/// The tasks that have dependents and do not exist.
pub(crate) async fn missing(conn: &mut SqliteConnection) -> Result<Vec<TaskId>, Error> {
    let rows = sqlx::query_scalar!(
        r#"SELECT DISTINCT upstream AS "id!: Text" FROM links
            WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = links.upstream)"#
    )
    .fetch_all(conn)
    .await?;
    rows.iter().map(Text::parse_id).collect()
}

/// The tasks that a task still depends on, with their statuses if they exist.
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

/// A task's upstream tasks, in the order in which it named them. A missing one is an error.
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
