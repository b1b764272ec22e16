//! The audit of a database file: SQLite's integrity check, and the service's own rules about rows.
//!
//! It only reads, so it works beside a running service. While one of its statements runs, the write-ahead log cannot
//! be emptied and grows; [`Bounds`] limit that.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, Row, Sqlite, SqliteConnection};

use crate::models::Timestamp;
use crate::state::audit::bounds::{AuditStopped, Bounds, Leash, STEPS};
use crate::state::audit::invariants::INVARIANTS;
use crate::state::db::open;
use crate::state::db::open_error::OpenError;
use crate::state::dependencies::cycles::{circles, links_of_waiting};
use crate::state::query::tasks;

/// Queries for rows that are later than the clock, whose time is the parameter. They were written while the clock was
/// ahead.
const AHEAD: [(&str, &str); 3] = [
    (
        "pending tasks without a delay that are not due yet",
        "SELECT id FROM tasks
          WHERE finished_at IS NULL AND status = 'PENDING' AND run_at > ?1 AND run_at <= created_at",
    ),
    (
        "schedules whose last run is in the future",
        "SELECT name FROM schedules WHERE last_due > ?1",
    ),
    (
        "pauses that began in the future",
        "SELECT 'of the queue' FROM meta WHERE key = 'pause' AND value ->> '$.since' > ?1
         UNION ALL
         SELECT 'of ' || each.key FROM meta, json_each(meta.value) AS each
          WHERE meta.key = 'closed' AND each.value ->> '$.since' > ?1",
    ),
];
/// A further such query, which reads all rows.
const FINISHED_AHEAD: (&str, &str) = (
    "tasks that finished in the future, which are kept for longer by that time",
    "SELECT id FROM tasks WHERE finished_at > ?1",
);
/// A synchronized clock may be ahead by this much.
const TOLERANCE: Duration = Duration::from_secs(5);

/// The result of an audit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Number of tasks in the file.
    pub(crate) tasks: i64,
    /// Time of the newest journal row, if there is one.
    pub(crate) newest: Option<String>,
    /// Messages of SQLite's integrity check; empty if the file is intact.
    pub(crate) damage: Vec<String>,
    /// Rules that rows violate; not checked in a damaged file.
    pub(crate) broken: Vec<RuleViolation>,
    /// Rows that are later than the clock.
    pub(crate) ahead: Vec<RuleViolation>,
    /// Why the audit is incomplete.
    pub(crate) stopped: Option<AuditStopped>,
}

/// Rows that violate a rule of [`INVARIANTS`], or are later than the clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleViolation {
    /// Describes the rows.
    pub(crate) what: &'static str,
    pub(crate) rows: u64,
    /// The ID or the name of one of them.
    pub(crate) example: String,
}

impl Audit {
    /// Iterates over all problems, one sentence each.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
        let damage = self
            .damage
            .iter()
            .map(|line| format!("SQLite reports: {line}"));
        let broken = self.broken.iter().map(|broken| {
            let RuleViolation {
                what,
                rows,
                example,
            } = broken;
            format!("{rows} {what}, such as {example}")
        });
        damage.chain(broken)
    }
}

/// Checks quickly that the file is a Venom database, counts its tasks, and reads the time of the newest journal row.
///
/// # Errors
/// When the file is not a Venom database or cannot be read.
pub(crate) async fn glance(path: &Path) -> Result<Audit, OpenError> {
    let mut conn = open::open_to_read(path).await?;
    let found = count(&mut conn).await;
    let _ = conn.close().await;
    found.map_err(|error| OpenError::sqlite(path, &error))
}

/// Audits the whole database at `path`.
///
/// # Errors
/// When the file is not a Venom database or cannot be read at all.
pub(crate) async fn audit(path: &Path) -> Result<Audit, OpenError> {
    let mut conn = open::open_to_read(path).await?;
    let found = inspect(&mut conn).await;
    let _ = conn.close().await;
    found.map_err(|error| OpenError::sqlite(path, &error))
}

/// Audits the whole database at `path` beside a running service. It stops at its bounds, or when the caller drops it.
///
/// # Errors
/// When the file is not a Venom database or cannot be read at all.
pub(crate) async fn audit_within(path: &Path, bounds: Bounds) -> Result<Audit, OpenError> {
    let mut conn = open::open_to_read(path).await?;
    let leash = Leash::default();
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let mut handle = conn.lock_handle().await.map_err(sqlite)?;
    handle.set_progress_handler(STEPS, leash.watch(path.to_owned(), bounds));
    drop(handle);
    let found = inspect(&mut conn).await;
    let _ = conn.close().await;
    match (found, leash.stopped.get()) {
        (Err(_), Some(stopped)) => Ok(Audit {
            stopped: Some(*stopped),
            ..Audit::default()
        }),
        (found, _) => found.map_err(sqlite),
    }
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
    // A database of an older version does not have this table.
    let table = "SELECT count(*) FROM sqlite_schema WHERE name = 'open_dependencies'";
    let has_dependencies: i64 = sqlx::query_scalar(table).fetch_one(&mut *conn).await?;
    for (what, sql) in INVARIANTS {
        if has_dependencies == 0 && sql.contains("open_dependencies") {
            continue;
        }
        if let Some(broken) = check(&mut *conn, what, sqlx::query(sql)).await? {
            found.broken.push(broken);
        }
    }
    found.broken.extend(check_circles(&mut *conn).await?);
    found
        .ahead
        .extend(check_ahead(&mut *conn, FINISHED_AHEAD).await?);
    found.broken.extend(check_readable(conn).await?);
    Ok(found)
}

async fn count(conn: &mut SqliteConnection) -> Result<Audit, sqlx::Error> {
    let tasks = sqlx::query_scalar("SELECT count(*) FROM tasks");
    let newest = sqlx::query_scalar("SELECT at FROM logs ORDER BY id DESC LIMIT 1");
    let mut found = Audit {
        tasks: tasks.fetch_one(&mut *conn).await?,
        newest: newest.fetch_optional(&mut *conn).await?,
        ..Audit::default()
    };
    for rows in AHEAD {
        found.ahead.extend(check_ahead(&mut *conn, rows).await?);
    }
    Ok(found)
}

async fn check_ahead(
    conn: &mut SqliteConnection,
    (what, sql): (&'static str, &'static str),
) -> Result<Option<RuleViolation>, sqlx::Error> {
    let now = Timestamp::now().after(TOLERANCE).to_string();
    check(conn, what, sqlx::query(sql).bind(now)).await
}

/// Checks the one rule that no query can check in reasonable time.
async fn check_circles(conn: &mut SqliteConnection) -> Result<Option<RuleViolation>, sqlx::Error> {
    let links = links_of_waiting(conn).await?;
    let links: Vec<_> = links
        .iter()
        .map(|(upstream, downstream)| (&**upstream, &**downstream))
        .collect();
    let members = circles(&links);
    Ok(members.first().map(|(example, _)| RuleViolation {
        what: "blocked tasks that depend on each other in a circle",
        rows: members.len() as u64,
        example: (*example).to_owned(),
    }))
}

/// Runs a query for rows that violate a rule.
async fn check(
    conn: &mut SqliteConnection,
    what: &'static str,
    rows: Query<'static, Sqlite, SqliteArguments>,
) -> Result<Option<RuleViolation>, sqlx::Error> {
    let mut rows = rows.fetch(conn);
    let mut broken: Option<RuleViolation> = None;
    while let Some(row) = rows.try_next().await? {
        match &mut broken {
            Some(broken) => broken.rows += 1,
            None => {
                broken = Some(RuleViolation {
                    what,
                    rows: 1,
                    example: row.try_get(0)?,
                });
            }
        }
    }
    Ok(broken)
}

/// Checks for rows that the service itself cannot read as they are stored.
async fn check_readable(conn: &mut SqliteConnection) -> Result<Option<RuleViolation>, sqlx::Error> {
    let mut broken: Option<RuleViolation> = None;
    let found = |id: String, why: String| match &mut broken {
        Some(broken) => broken.rows += 1,
        None => {
            broken = Some(RuleViolation {
                what: "tasks with damaged columns, which clients get repaired or not at all",
                rows: 1,
                example: format!("{id} ({why})"),
            });
        }
    };
    tasks::unreadable(conn, found).await?;
    Ok(broken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;

    #[tokio::test]
    async fn an_audit_stops_at_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let mut connections = open::open(&path, Durability::Normal).await.unwrap();
        // Enough rows for SQLite to call its progress handler.
        let tasks = "INSERT INTO tasks(content)
                     WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
                     SELECT 'x' FROM n";
        let insert = sqlx::query(tasks).execute(&mut connections.write);
        insert.await.unwrap();
        let bounds = |seconds, wal_growth_bytes| Bounds {
            time: Duration::from_secs(seconds),
            wal_growth_bytes,
        };
        let audit = audit_within(&path, bounds(3600, 1 << 30)).await.unwrap();
        assert_eq!((audit.tasks, audit.stopped), (2000, None));
        let audit = audit_within(&path, bounds(0, 1 << 30)).await.unwrap();
        assert_eq!(audit.stopped, Some(AuditStopped::TooLong));
        drop(connections);
    }
}
