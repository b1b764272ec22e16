//! Whether a database file is sound: SQLite's own check of it, and the service's rules about its rows.
//!
//! It only reads, so it works beside a running service. While one of its statements reads, the write-ahead
//! log cannot be emptied and grows with what is written: [`Bounds`] say how long that may go on.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::TryStreamExt;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Connection, Row, Sqlite, SqliteConnection};

use crate::models::Timestamp;
use crate::state::db::files::wal_bytes;
use crate::state::db::invariants::INVARIANTS;
use crate::state::db::open;
use crate::state::db::open::OpenError;
use crate::state::dependencies::cycles::{circles, links_of_waiting};
use crate::state::query::tasks;

/// Instructions of SQLite after which an audit with bounds looks whether it is to go on.
const STEPS: i32 = 1000;
/// Time between two looks at the write-ahead log.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// What stands in the future of a clock, whose time is the parameter: rows that were written while it was
/// ahead.
const AHEAD: [(&str, &str); 3] = [
    (
        "waiting tasks that were submitted without a delay and are not due yet",
        "SELECT id FROM tasks
          WHERE finished_at IS NULL AND status = 'PENDING' AND run_at > ?1 AND run_at <= created_at",
    ),
    (
        "schedules that have come further than the clock",
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
/// The same, for which all rows have to be read.
const FINISHED_AHEAD: (&str, &str) = (
    "tasks that finished in the future, and are kept until then and as long as others",
    "SELECT id FROM tasks WHERE finished_at > ?1",
);
/// What is ahead by less is of a clock that is kept in time.
const TOLERANCE: Duration = Duration::from_secs(5);
/// What an [`audit`] has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Audit {
    /// Tasks in the file.
    pub(crate) tasks: i64,
    /// Time of the newest journal row, if there is one.
    pub(crate) newest: Option<String>,
    /// What SQLite says against the file; empty if it is sound.
    pub(crate) damage: Vec<String>,
    /// Rules that rows break; not looked at in a damaged file.
    pub(crate) broken: Vec<Broken>,
    /// What stands in the future.
    pub(crate) ahead: Vec<Broken>,
    /// Why not everything was looked at.
    pub(crate) stopped: Option<Stopped>,
}

/// What an [`audit_within`] may cost the service that runs on the file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    /// By how much the write-ahead log may grow meanwhile.
    pub(crate) wal_growth_bytes: u64,
}

/// Which of its [`Bounds`] ended an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    TooLong,
    WalTooLarge,
}

/// Rows that should not be there: those that break a rule of [`INVARIANTS`], or stand in the future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Broken {
    /// The rows that should not be there, in words.
    pub(crate) what: &'static str,
    pub(crate) rows: u64,
    /// The id or the name of one of them.
    pub(crate) example: String,
}

impl Audit {
    /// Everything that is wrong, a sentence each.
    pub(crate) fn problems(&self) -> impl Iterator<Item = String> {
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
pub(crate) async fn glance(path: &Path) -> Result<Audit, OpenError> {
    let mut conn = open::open_to_read(path).await?;
    let found = count(&mut conn).await;
    let _ = conn.close().await;
    found.map_err(|error| OpenError::sqlite(path, &error))
}

/// Reads the whole database at `path` and says what is wrong with it.
///
/// # Errors
/// When the file is no database of ours or cannot be read at all.
pub(crate) async fn audit(path: &Path) -> Result<Audit, OpenError> {
    let mut conn = open::open_to_read(path).await?;
    let found = inspect(&mut conn).await;
    let _ = conn.close().await;
    found.map_err(|error| OpenError::sqlite(path, &error))
}

/// The same as [`audit`] within bounds, beside a service that has to go on. It also ends when the caller
/// drops it.
///
/// # Errors
/// When the file is no database of ours or cannot be read at all.
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

/// Ends an audit that costs too much, or that nobody waits for any more.
#[derive(Default)]
struct Leash {
    given_up: Arc<AtomicBool>,
    stopped: Arc<OnceLock<Stopped>>,
}

impl Leash {
    /// What SQLite asks whether it is to go on.
    fn watch(&self, path: PathBuf, bounds: Bounds) -> impl FnMut() -> bool + Send + 'static {
        let (given_up, stopped) = (Arc::clone(&self.given_up), Arc::clone(&self.stopped));
        let start = Instant::now();
        let largest = wal_bytes(&path).saturating_add(bounds.wal_growth_bytes);
        let mut next_look = start;
        move || {
            let now = Instant::now();
            if now >= next_look {
                next_look = now + BETWEEN_LOOKS;
                if now.duration_since(start) >= bounds.time {
                    let _ = stopped.set(Stopped::TooLong);
                } else if wal_bytes(&path) > largest {
                    let _ = stopped.set(Stopped::WalTooLarge);
                }
            }
            stopped.get().is_none() && !given_up.load(Ordering::Relaxed)
        }
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
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
    // A database of an older version, as before an upgrade, has no such table yet.
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
    found.ahead.extend(ahead(&mut *conn, FINISHED_AHEAD).await?);
    found.broken.extend(unreadable(conn).await?);
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
        found.ahead.extend(ahead(&mut *conn, rows).await?);
    }
    Ok(found)
}

async fn ahead(
    conn: &mut SqliteConnection,
    (what, sql): (&'static str, &'static str),
) -> Result<Option<Broken>, sqlx::Error> {
    let now = Timestamp::now().after(TOLERANCE).to_string();
    check(conn, what, sqlx::query(sql).bind(now)).await
}

/// The one rule that no query can say in reasonable time.
async fn check_circles(conn: &mut SqliteConnection) -> Result<Option<Broken>, sqlx::Error> {
    let links = links_of_waiting(conn).await?;
    let links: Vec<_> = links
        .iter()
        .map(|(upstream, downstream)| (&**upstream, &**downstream))
        .collect();
    let members = circles(&links);
    Ok(members.first().map(|(example, _)| Broken {
        what: "waiting tasks that wait for each other in a circle",
        rows: members.len() as u64,
        example: (*example).to_owned(),
    }))
}

async fn check(
    conn: &mut SqliteConnection,
    what: &'static str,
    rows: Query<'static, Sqlite, SqliteArguments>,
) -> Result<Option<Broken>, sqlx::Error> {
    let mut rows = rows.fetch(conn);
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

/// Rows that the service cannot pass on as they stand, by its own reading of them.
async fn unreadable(conn: &mut SqliteConnection) -> Result<Option<Broken>, sqlx::Error> {
    let mut broken: Option<Broken> = None;
    let found = |id: String, why: String| match &mut broken {
        Some(broken) => broken.rows += 1,
        None => {
            broken = Some(Broken {
                what: "tasks that clients cannot read as they are stored",
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
    async fn an_audit_ends_at_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let mut connections = open::open(&path, Durability::Normal).await.unwrap();
        // Enough for SQLite to ask whether it is to go on.
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
        assert_eq!(audit.stopped, Some(Stopped::TooLong));
        drop(connections);
    }

    #[test]
    fn a_log_that_grows_too_much_ends_an_audit_and_so_does_who_gave_it_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let bounds = Bounds {
            time: Duration::from_hours(1),
            wal_growth_bytes: 10,
        };
        let leash = Leash::default();
        let mut goes_on = leash.watch(path.clone(), bounds);
        assert!(goes_on());
        std::fs::write(folder.path().join("venom.db-wal"), [0; 10]).unwrap();
        let mut again = leash.watch(path.clone(), bounds);
        assert!(again(), "it had that size before");
        let mut watch = Leash::default().watch(path.clone(), bounds);
        assert!(!watch(), "nobody holds the leash any more");
        let leash = Leash::default();
        std::fs::remove_file(folder.path().join("venom.db-wal")).unwrap();
        let mut goes_on = leash.watch(path, bounds);
        std::fs::write(folder.path().join("venom.db-wal"), [0; 11]).unwrap();
        assert!(!goes_on());
        assert_eq!(leash.stopped.get(), Some(&Stopped::WalTooLarge));
    }
}
