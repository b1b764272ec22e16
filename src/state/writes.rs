//! The SQL that changes something. [`commit`] is a whole transaction of the Writer's, sent as one
//! command; the others each run one statement inside the caller's transaction.
//!
//! Many rows travel as one JSON array (`jsonb_each(?)`), so that a commit costs a handful of statements
//! whatever its size. Each change of a status carries its guard in the `WHERE`; a row that is not
//! returned lost a race, which is a normal answer.

use futures_util::TryStreamExt;
use serde::Serialize;
use sqlx::{Either, SqliteConnection};

use super::Error;
use super::text::Text;
use crate::models::{Attempt, ClaimedTask, TaskId};

/// A row for `tasks`: id, content, started, processor, priority, tags, session_id, context_history.
#[derive(Serialize)]
pub(super) struct InsertTask<'a>(
    pub TaskId,
    pub &'a str,
    pub bool,
    pub &'a str,
    pub i64,
    pub &'a [String],
    pub Option<&'a str>,
    pub Option<&'a str>,
);

/// Progress of an attempt: seq, attempt, progress.
#[derive(Serialize)]
pub(super) struct SetProgress(pub i64, pub i64, pub f64);

/// The end of an attempt: seq, attempt, status, result, failure, error.
#[derive(Serialize)]
pub(super) struct FinishAttempt<'a>(
    pub i64,
    pub i64,
    pub &'static str,
    pub Option<&'a str>,
    pub Option<&'static str>,
    pub Option<&'a str>,
);

/// A row for `logs`: task_id, type, agent, message, data, at (none for `now`), guard.
///
/// The guard is the row number, attempt and status that the task must have by then; without it the
/// change that the row tells of has lost its race and the row is not written.
#[derive(Serialize)]
pub(super) struct InsertLog<'a>(
    pub Option<TaskId>,
    pub &'static str,
    pub Option<&'a str>,
    pub Option<&'a str>,
    pub &'a str,
    pub Option<crate::models::Timestamp>,
    pub Option<i64>,
    pub Option<i64>,
    pub Option<&'static str>,
);

/// What one transaction of the Writer consists of.
#[derive(Default)]
pub(super) struct Changes<'a> {
    /// Tasks to insert, some of them as started at once.
    pub tasks: Vec<InsertTask<'a>>,
    pub progress: Vec<SetProgress>,
    /// Running attempts that become final.
    pub finished: Vec<FinishAttempt<'a>>,
    /// Row numbers of waiting tasks to start.
    pub claims: Vec<i64>,
    pub logs: Vec<InsertLog<'a>>,
}

/// What a committed transaction answers.
#[derive(Default)]
pub(super) struct Applied {
    /// Row number of the first inserted task; the others follow without a gap, in the order given.
    pub first_seq: i64,
    /// The claimed tasks that were still waiting.
    pub claimed: Vec<ClaimedTask>,
    /// Id of the first journal row; the others follow without a gap, in the order given.
    pub first_log: i64,
    /// Journal rows written: fewer than given if a guard kept some out.
    pub logs: u64,
}

/// Writes one transaction, begin to commit, as a single command to SQLite's thread: on a busy machine
/// a turn of a thread costs more than the statements.
pub(super) async fn commit(
    conn: &mut SqliteConnection,
    changes: &Changes<'_>,
    now: &str,
) -> Result<Applied, Error> {
    let applied = run_transaction(conn, changes, now).await;
    if applied.is_err() {
        // Fails if SQLite has rolled back by itself, which is as good.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }
    applied
}

async fn run_transaction(
    conn: &mut SqliteConnection,
    changes: &Changes<'_>,
    now: &str,
) -> Result<Applied, Error> {
    let tasks = serde_json::to_string(&changes.tasks)?;
    let progress = serde_json::to_string(&changes.progress)?;
    let finished = serde_json::to_string(&changes.finished)?;
    let claims = serde_json::to_string(&changes.claims)?;
    let logs = serde_json::to_string(&changes.logs)?;
    #[expect(
        deprecated,
        reason = "several statements in one command are the point, and SQLite's own"
    )]
    let mut answers = sqlx::query!(
        r#"BEGIN IMMEDIATE;

        INSERT INTO tasks (id, content, status, attempt, started_at, processor, priority, tags,
                           session_id, context_history, created_at, run_at, source)
        SELECT value ->> 0, value ->> 1,
               iif(value ->> 2, 'PROCESSING', 'PENDING'), value ->> 2, iif(value ->> 2, now, NULL),
               value ->> 3, value ->> 4, value -> 5, value ->> 6, coalesce(value ->> 7, '{}'),
               now, now, 'api'
          FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now);

        UPDATE tasks SET progress = said.value ->> 2
          FROM jsonb_each(?) AS said
         WHERE tasks.seq = said.value ->> 0 AND tasks.attempt = said.value ->> 1
           AND +tasks.status = 'PROCESSING';

        UPDATE tasks
           SET status = ended.value ->> 2, result = ended.value ->> 3,
               failure = ended.value ->> 4, error = coalesce(ended.value ->> 5, error),
               finished_at = now
          FROM jsonb_each(?) AS ended CROSS JOIN (SELECT ? AS now)
         WHERE tasks.seq = ended.value ->> 0 AND tasks.attempt = ended.value ->> 1
           AND +tasks.status = 'PROCESSING';

        UPDATE tasks
           SET status = 'PROCESSING', attempt = attempt + 1, started_at = ?, progress = NULL
         WHERE seq IN (SELECT value FROM jsonb_each(?)) AND +status = 'PENDING'
        RETURNING seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  processor AS "processor!: Text", content AS "content!: Text";

        INSERT INTO logs (task_id, type, agent, message, data, at)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
               coalesce(value ->> 5, now)
          FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now)
         WHERE value ->> 6 IS NULL
            OR EXISTS (SELECT 1 FROM tasks
                        WHERE seq = value ->> 6 AND attempt = value ->> 7 AND status = value ->> 8
                          AND coalesce(finished_at, now) = now);

        COMMIT"#,
        tasks,
        now,
        progress,
        finished,
        now,
        now,
        claims,
        logs,
        now
    )
    .fetch_many(conn);
    let mut done = Vec::with_capacity(7);
    let mut claimed = Vec::new();
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(statement) => done.push(statement),
            Either::Right(row) => claimed.push(ClaimedTask {
                attempt: Attempt {
                    seq: row.seq,
                    task_id: row.id.parse_id()?,
                    number: row.attempt,
                },
                content: row.content.into(),
                processor: row.processor.into(),
            }),
        }
    }
    let [_begin, tasks, _progress, _finished, _claims, logs, _commit] = &done[..] else {
        return Err(Error::Unavailable("a transaction was cut short".to_owned()));
    };
    Ok(Applied {
        first_seq: tasks.last_insert_rowid() - changes.tasks.len() as i64 + 1,
        claimed,
        first_log: logs.last_insert_rowid() - logs.rows_affected() as i64 + 1,
        logs: logs.rows_affected(),
    })
}

/// Appends to the journal, inside a transaction of the caller's; the first row's id. The others follow
/// it without a gap.
pub(super) async fn insert_logs(
    conn: &mut SqliteConnection,
    rows: &[InsertLog<'_>],
    now: &str,
) -> Result<i64, Error> {
    let count = rows.len() as i64;
    let rows = serde_json::to_string(rows)?;
    let inserted = sqlx::query!(
        "INSERT INTO logs (task_id, type, agent, message, data, at)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                coalesce(value ->> 5, ?2)
           FROM jsonb_each(?1)",
        rows,
        now
    )
    .execute(conn)
    .await?;
    Ok(inserted.last_insert_rowid() - count + 1)
}

/// Gives running attempts back to the queue without counting them; the row numbers of those that were
/// still running. `crashed` says that the service died under them.
pub(super) async fn release_attempts_if_running(
    conn: &mut SqliteConnection,
    attempts: &[Attempt],
    crashed: bool,
) -> Result<Vec<i64>, Error> {
    let rows = attempt_rows(attempts)?;
    let released = sqlx::query_scalar!(
        r#"UPDATE tasks
              SET status = 'PENDING', uncounted = uncounted + 1, crashes = crashes + ?2,
                  started_at = NULL, progress = NULL
             FROM jsonb_each(?1) AS running
            WHERE tasks.seq = running.value ->> 0 AND tasks.attempt = running.value ->> 1
              AND +tasks.status = 'PROCESSING'
        RETURNING seq AS "seq!""#,
        rows,
        crashed
    )
    .fetch_all(conn)
    .await?;
    Ok(released)
}

/// A task that a purge has just failed.
pub(super) struct Purged {
    pub task_id: TaskId,
    pub processor: String,
}

/// Fails up to `limit` waiting tasks that arrived not after row `upto`.
pub(super) async fn purge_pending(
    conn: &mut SqliteConnection,
    upto: i64,
    limit: i64,
    error: &str,
    now: &str,
) -> Result<Vec<Purged>, Error> {
    let purged = sqlx::query!(
        r#"UPDATE tasks SET status = 'FAILED', failure = 'purged', error = ?3, finished_at = ?4
            WHERE seq IN (SELECT seq FROM tasks
                           WHERE finished_at IS NULL AND status = 'PENDING' AND seq <= ?1
                           LIMIT ?2)
        RETURNING id AS "id!: Text", processor AS "processor!: Text""#,
        upto,
        limit,
        error,
        now
    )
    .fetch_all(conn)
    .await?;
    purged
        .into_iter()
        .map(|row| {
            Ok(Purged {
                task_id: row.id.parse_id()?,
                processor: row.processor.into(),
            })
        })
        .collect()
}

/// Fails tasks whose attempts crashed the service too often.
pub(super) async fn fail_lost(
    conn: &mut SqliteConnection,
    attempts: &[Attempt],
    error: &str,
    now: &str,
) -> Result<(), Error> {
    let rows = attempt_rows(attempts)?;
    sqlx::query!(
        "UPDATE tasks
            SET status = 'FAILED', failure = 'lost', error = ?2, finished_at = ?3,
                crashes = crashes + 1
           FROM jsonb_each(?1) AS running
          WHERE tasks.seq = running.value ->> 0 AND +tasks.status = 'PROCESSING'",
        rows,
        error,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Remembers `value` (JSON) under `key`.
pub(super) async fn set_meta(
    conn: &mut SqliteConnection,
    key: &str,
    value: &str,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
             ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        key,
        value
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Forgets what is remembered under `key`.
pub(super) async fn delete_meta(conn: &mut SqliteConnection, key: &str) -> Result<(), Error> {
    sqlx::query!("DELETE FROM meta WHERE key = ?1", key)
        .execute(conn)
        .await?;
    Ok(())
}

fn attempt_rows(attempts: &[Attempt]) -> Result<String, Error> {
    let rows: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.seq, attempt.number))
        .collect();
    Ok(serde_json::to_string(&rows)?)
}
