//! A look into the service's database after a measurement: is what was counted really there?
//!
//! Read-only, beside the running service, and after the clock has stopped.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::Result;

/// Fails unless the database holds exactly `expected` tasks.
pub async fn expect_rows(path: &Path, expected: u64) -> Result<()> {
    let mut connection = open(path).await?;
    let found = count(&mut connection, "SELECT count(*) FROM tasks").await?;
    connection.close().await?;
    expect("tasks", found, expected)
}

/// Fails unless exactly `expected` tasks are COMPLETED, and as many journal rows say so.
pub async fn expect_completed(path: &Path, expected: u64) -> Result<()> {
    let mut connection = open(path).await?;
    let completed = "SELECT count(*) FROM tasks
                      WHERE status = 'COMPLETED' AND result = 'Processed: ' || content";
    let logged = "SELECT count(*) FROM logs WHERE type = 'TASK_COMPLETED'";
    let completed = count(&mut connection, completed).await?;
    let logged = count(&mut connection, logged).await?;
    connection.close().await?;
    expect("COMPLETED tasks with a result", completed, expected)?;
    expect("TASK_COMPLETED rows in the journal", logged, expected)
}

/// How many events the journal holds.
pub async fn count_events(path: &Path) -> Result<u64> {
    let mut connection = open(path).await?;
    let events = count(&mut connection, "SELECT count(*) FROM logs").await?;
    connection.close().await?;
    Ok(events)
}

async fn open(path: &Path) -> Result<SqliteConnection> {
    Ok(SqliteConnectOptions::new()
        .filename(path)
        .read_only(true)
        .connect()
        .await?)
}

async fn count(connection: &mut SqliteConnection, query: &'static str) -> Result<u64> {
    let count: i64 = sqlx::query_scalar(query).fetch_one(connection).await?;
    Ok(count.cast_unsigned())
}

fn expect(what: &str, found: u64, expected: u64) -> Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(format!("the database has {found} {what}; {expected} were acknowledged").into())
}
