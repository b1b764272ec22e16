//! (f) Whole lives beside a million tasks that wait and may not start: a third is not due and comes
//! before the load in its own lane, a third is over its processor's limit, a third over its key's.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::finishes;
use crate::report::{Aim, Report, thousands};
use crate::rounds::{Rounds, Sample};
use crate::seed::NO_DUMP;
use crate::service::{Environment, Home, LIMIT_5, QueueStatus, Service};
use crate::{Bench, Result};

const CONNECTIONS: usize = 64;

/// Whose tasks hold the places that the others wait for.
const SETTINGS: &str = r#"
[processors.narrow]
kind = "command"
program = "sleep"
args = ["3600"]
concurrency = 1

[processors.wide]
kind = "command"
program = "sleep"
args = ["3600"]
"#;

/// Two of the places are held by the tasks that the others wait for.
const LIMIT_7: Environment = &[
    ("ENABLE_QUEUE_LIMITS", "true"),
    ("MAX_CONCURRENT_TASKS", "7"),
    ("VENOM_STATE_DUMP", "off"),
];

const INSERT: &str = "
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ?1)
    INSERT INTO tasks (id, content, processor, concurrency_key, priority, run_at, max_attempts, source)
    SELECT printf('00000000-0000-7000-%04x-%012x', ?2, n), 'waits', ?3, ?4, ?5,
           ?6 || substr(1000000 + n, 2) || 'Z', 1, 'api'
      FROM numbers";

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(f) beside tasks that wait and may not start, 64 connections, 5 places");
    let rows = bench.plan.waiting_rows;
    println!("  {} waiting rows", thousands(rows as f64));
    let mut rounds = Rounds::new(bench.plan.rounds);
    while rounds.incomplete() {
        let empty = alone(bench).await?;
        rounds.push(empty, beside(bench, rows / 3).await?);
    }
    report.columns("alone");
    report.rounds("f.finishes", "finished", &rounds);
    report.aim(Aim::at_least(
        "(f) finished beside a million that wait, of alone",
        0.90,
        rounds.ratio(),
    ));
    Ok(())
}

async fn alone(bench: &Bench) -> Result<Sample> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, LIMIT_5).await?;
    let empty = QueueStatus {
        pending: 0,
        processing: 0,
    };
    let sample = finishes::finish(bench, &service, CONNECTIONS, empty, 0).await?;
    service.kill().await?;
    Ok(sample)
}

async fn beside(bench: &Bench, third: u64) -> Result<Sample> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, NO_DUMP).await?;
    let home = service.stop().await?;
    std::fs::write(home.path().join("venom.toml"), SETTINGS)?;
    fill(&home.database(), third.cast_signed()).await?;
    let service = Service::start(&bench.plan, home, LIMIT_7).await?;
    let floor = QueueStatus {
        pending: 3 * third - 2,
        processing: 2,
    };
    service.drained(floor).await?;
    let sample = finishes::finish(bench, &service, CONNECTIONS, floor, 0).await?;
    service.kill().await?;
    Ok(sample)
}

async fn fill(database: &Path, third: i64) -> Result<()> {
    let mut connection = SqliteConnectOptions::new()
        .filename(database)
        .synchronous(SqliteSynchronous::Off)
        .busy_timeout(Duration::from_secs(5))
        .connect()
        .await?;
    let (past, future) = ("2026-01-01T00:00:00.", "2999-01-01T00:00:00.");
    insert(&mut connection, third, 1, "echo", None, (50, future)).await?;
    insert(&mut connection, third, 2, "narrow", None, (90, past)).await?;
    insert(&mut connection, third, 3, "wide", Some("busy"), (90, past)).await?;
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await?;
    Ok(connection.close().await?)
}

async fn insert(
    connection: &mut SqliteConnection,
    count: i64,
    part: i64,
    processor: &str,
    key: Option<&str>,
    (priority, second): (i64, &str),
) -> Result<()> {
    sqlx::query(INSERT)
        .bind(count)
        .bind(part)
        .bind(processor)
        .bind(key)
        .bind(priority)
        .bind(second)
        .execute(connection)
        .await?;
    Ok(())
}
