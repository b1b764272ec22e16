//! The large database of (d): finished rows, and pending rows that cannot run.
//!
//! The service makes the schema, SQLite itself makes the rows. Seeding a million takes a while,
//! so the result is kept in `target/bench-cache`, under a key that changes with the schema, and
//! copied for each measurement.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::options::Plan;
use crate::report::thousands;
use crate::service::{Home, Service};
use crate::{Failure, Result};

/// Of the processor that the pending rows wait for: one task runs and keeps its only place.
const SETTINGS: &str = r#"
[processors.blocked]
kind = "command"
program = "sleep"
args = ["3600"]
concurrency = 1
"#;

/// For services that must stop quickly and cleanly.
pub const NO_DUMP: crate::service::Environment = &[("VENOM_STATE_DUMP", "off")];

/// Rows in one transaction.
const CHUNK: u64 = 50_000;

/// Rows ?1 to ?2, a millisecond apart, with ids as the service gives them (version 7, in order of
/// time). `source` is not 'sql', which would journal each row as a submission.
const INSERT_TASKS: &str = "
    WITH RECURSIVE
        numbers(n) AS (SELECT ?1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?2),
        moments(n, ms) AS (SELECT n, 1767225600000 + n FROM numbers),
        rows(n, id, at) AS (
            SELECT n,
                   printf('%08x-%04x-7%03x-%04x-%012x', ms / 65536, ms % 65536, n % 4096,
                          0x8000 + abs(random() % 16384), abs(random() % 281474976710656)),
                   strftime('%Y-%m-%dT%H:%M:%f', ms / 1000.0, 'unixepoch') || '000Z'
              FROM moments)
    INSERT INTO tasks (id, content, status, processor, attempt, created_at, run_at, started_at,
                       finished_at, result, source)
    SELECT id, 'hello ' || n, ?3, ?4, iif(?5, 1, 0), at, at, iif(?5, at, NULL),
           iif(?5, at, NULL), iif(?5, 'Processed: hello ' || n, NULL), 'api'
      FROM rows";

/// The journal of the tasks whose `seq` is from ?1 to ?2: three rows for a finished one, one for
/// a pending one.
const INSERT_LOGS: &str = "
    INSERT INTO logs (task_id, type, message, data, at)
    SELECT id, type, line || created_at,
           CASE type WHEN 'TASK_CREATED' THEN json_object('content', content)
                     WHEN 'TASK_STARTED' THEN json_object('attempt', attempt)
                     ELSE json_object('result_length', length(result)) END,
           created_at
      FROM tasks
      JOIN (SELECT 1 AS step, 'TASK_CREATED' AS type, 'Task started: ' AS line
            UNION ALL SELECT 2, 'TASK_STARTED', 'Processing started: '
            UNION ALL SELECT 3, 'TASK_COMPLETED', 'Processing completed: ')
     WHERE seq BETWEEN ?1 AND ?2 AND (step = 1 OR finished_at IS NOT NULL)
     ORDER BY seq, step";

/// A seeded database to copy from. Its queue is paused.
pub struct Seed {
    database: PathBuf,
}

impl Seed {
    /// Finds the database in the cache, or makes it.
    pub async fn prepare(plan: &Plan) -> Result<Self> {
        let home = new_database(plan).await?;
        let rows = format!("{}-{}", plan.finished_rows, plan.pending_rows);
        let key = format!("{rows}-{:016x}", schema_hash(&home.database()).await?);
        let database = plan.cache.join(&key).join("venom.db");
        if !database.exists() {
            let start = Instant::now();
            fill(&home.database(), plan).await?;
            remove_outdated(&plan.cache, &rows)?;
            keep(&home, &plan.cache.join(&key))?;
            eprintln!("seeded {} in {:.0?}", database.display(), start.elapsed());
        }
        let size = fs::metadata(&database)?.len() as f64;
        println!(
            "  {} finished and {} pending rows, {} MiB",
            thousands(plan.finished_rows as f64),
            thousands(plan.pending_rows as f64),
            thousands(size / 1024.0 / 1024.0),
        );
        Ok(Self { database })
    }

    /// A folder with a copy of the database, all of it on disk already, so that writing it back
    /// does not disturb the measurement.
    pub async fn copy(&self, plan: &Plan) -> Result<Home> {
        let home = Home::empty(plan)?;
        fs::write(home.path().join("venom.toml"), SETTINGS)?;
        let (from, to) = (self.database.clone(), home.database());
        tokio::task::spawn_blocking(move || {
            fs::copy(&from, &to)?;
            fs::File::open(&to)?.sync_all()?;
            Ok::<(), Failure>(())
        })
        .await??;
        Ok(home)
    }
}

/// A database as the service makes it, with the queue paused.
async fn new_database(plan: &Plan) -> Result<Home> {
    let service = Service::start(plan, Home::empty(plan)?, NO_DUMP).await?;
    service.pause().await?;
    service.stop().await
}

async fn schema_hash(database: &Path) -> Result<u64> {
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .connect()
        .await?;
    let schema: Vec<Option<String>> = sqlx::query_scalar("SELECT sql FROM sqlite_schema")
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    let mut hasher = DefaultHasher::new();
    (schema, INSERT_TASKS, INSERT_LOGS).hash(&mut hasher);
    Ok(hasher.finish())
}

async fn fill(database: &Path, plan: &Plan) -> Result<()> {
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .synchronous(SqliteSynchronous::Off)
        .pragma("cache_size", "-262144")
        .busy_timeout(Duration::from_secs(5))
        .connect()
        .await?;
    let (finished, all) = (plan.finished_rows, plan.finished_rows + plan.pending_rows);
    fill_range(&mut connection, 1, finished, ("COMPLETED", "echo", true)).await?;
    fill_range(
        &mut connection,
        finished + 1,
        all,
        ("PENDING", "blocked", false),
    )
    .await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

async fn fill_range(
    connection: &mut SqliteConnection,
    first: u64,
    last: u64,
    (status, processor, finished): (&str, &str, bool),
) -> Result<()> {
    for start in (first..=last).step_by(CHUNK as usize) {
        let (start, end) = (
            start.cast_signed(),
            last.min(start + CHUNK - 1).cast_signed(),
        );
        let mut transaction = connection.begin().await?;
        sqlx::query(INSERT_TASKS)
            .bind(start)
            .bind(end)
            .bind(status)
            .bind(processor)
            .bind(finished)
            .execute(&mut *transaction)
            .await?;
        sqlx::query(INSERT_LOGS)
            .bind(start)
            .bind(end)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
    }
    Ok(())
}

/// Databases of the same size that an earlier schema left behind.
fn remove_outdated(cache: &Path, rows: &str) -> Result<()> {
    fs::create_dir_all(cache)?;
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry
            .file_name()
            .to_string_lossy()
            .starts_with(&format!("{rows}-"))
        {
            fs::remove_dir_all(entry.path())?;
        }
    }
    Ok(())
}

/// Copied under another name first: a run that is cut short leaves no half database to be found.
fn keep(home: &Home, folder: &Path) -> Result<()> {
    let partial = folder.with_extension("partial");
    fs::create_dir_all(&partial)?;
    fs::copy(home.database(), partial.join("venom.db"))?;
    Ok(fs::rename(partial, folder)?)
}
