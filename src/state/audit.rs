//! Whether a database file is sound: SQLite's own check of it, and the service's rules about its rows.
//!
//! It only reads, so it works beside a running service. While it reads, the write-ahead log cannot be
//! emptied.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{Connection, Row, SqliteConnection};

use super::connect::{self, OpenError};

/// What is true of every database at every moment: each names a set of rows that has to be empty.
pub const INVARIANTS: [(&str, &str); 13] = [
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
                      AND message IN (
                        'The task did not begin and was retried by hand; the task will run again',
                        'Attempt ' || (data ->> '$.attempt')
                            || ' failed and was retried by hand; the task will run again'))",
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
        "events that are no JSON objects, or have an id that SQLite did not give",
        "SELECT CAST(id AS TEXT) FROM logs
          WHERE json_type(data) <> 'object' OR id < 1
             OR id > (SELECT seq FROM sqlite_sequence WHERE name = 'logs')",
    ),
];

/// What an [`audit`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    /// Tasks in the file.
    pub tasks: i64,
    /// Time of the newest journal row, if there is one.
    pub newest: Option<String>,
    /// What SQLite says against the file; empty if it is sound.
    pub damage: Vec<String>,
    /// Rules that rows break; not looked at in a damaged file.
    pub broken: Vec<Broken>,
}

/// A rule of [`INVARIANTS`] that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rows that should not be there, in words.
    pub what: &'static str,
    pub rows: u64,
    /// The id of one of them.
    pub example: String,
}

impl Audit {
    /// Everything that is wrong, a sentence each.
    pub fn problems(&self) -> impl Iterator<Item = String> {
        let damage = self
            .damage
            .iter()
            .map(|line| format!("SQLite says: {line}"));
        let broken = self.broken.iter().map(|broken| {
            let Broken {
                what,
                rows,
                example,
            } = broken;
            format!("{rows} {what}, such as {example}")
        });
        damage.chain(broken)
    }
}

/// Looks at what is quickly found: that it is a database of ours, how many tasks it has, and its newest
/// journal row.
///
/// # Errors
/// When the file is no database of ours or cannot be read.
pub async fn glance(path: &Path) -> Result<Audit, OpenError> {
    let mut conn = connect::open_to_read(path).await?;
    let found = count(&mut conn).await;
    let _ = conn.close().await;
    found.map_err(|error| OpenError::sqlite(path, &error))
}

/// Reads the whole database at `path` and says what is wrong with it.
///
/// # Errors
/// When the file is no database of ours or cannot be read at all.
pub async fn audit(path: &Path) -> Result<Audit, OpenError> {
    let mut conn = connect::open_to_read(path).await?;
    let found = inspect(&mut conn).await;
    let _ = conn.close().await;
    found.map_err(|error| OpenError::sqlite(path, &error))
}

async fn inspect(conn: &mut SqliteConnection) -> Result<Audit, sqlx::Error> {
    let damage: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check")
        .fetch_all(&mut *conn)
        .await?;
    if damage != ["ok"] {
        return Ok(Audit {
            damage,
            ..Audit::default()
        });
    }
    let mut found = count(&mut *conn).await?;
    for (what, sql) in INVARIANTS {
        if let Some(broken) = check(&mut *conn, what, sql).await? {
            found.broken.push(broken);
        }
    }
    Ok(found)
}

async fn count(conn: &mut SqliteConnection) -> Result<Audit, sqlx::Error> {
    let tasks = sqlx::query_scalar("SELECT count(*) FROM tasks");
    let newest = sqlx::query_scalar("SELECT at FROM logs ORDER BY id DESC LIMIT 1");
    Ok(Audit {
        tasks: tasks.fetch_one(&mut *conn).await?,
        newest: newest.fetch_optional(conn).await?,
        ..Audit::default()
    })
}

async fn check(
    conn: &mut SqliteConnection,
    what: &'static str,
    sql: &'static str,
) -> Result<Option<Broken>, sqlx::Error> {
    let mut rows = sqlx::query(sql).fetch(conn);
    let mut broken: Option<Broken> = None;
    while let Some(row) = rows.try_next().await? {
        match &mut broken {
            Some(broken) => broken.rows += 1,
            None => {
                broken = Some(Broken {
                    what,
                    rows: 1,
                    example: row.try_get(0)?,
                });
            }
        }
    }
    Ok(broken)
}
