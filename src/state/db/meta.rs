//! The `meta` table: its keys, and the SQL that reads and writes their values, which are JSON.

use std::collections::BTreeMap;

use sqlx::{SqliteConnection, SqliteExecutor};

use crate::state::db::text::Text;
use crate::state::error::Error;

/// A [`crate::models::Pause`], while the queue is paused.
pub(crate) const PAUSE: &str = "pause";
/// The fields of the imported `state_dump.json` that venom does not know.
pub(crate) const DUMP_FIELDS: &str = "dump_fields";
/// The processor of tasks that name no processor.
pub(crate) const DEFAULT_PROCESSOR: &str = "default_processor";
/// A [`crate::models::Pause`] for each paused processor, by name.
pub(crate) const PAUSED_PROCESSORS: &str = "closed";
/// The number of attempts of each processor's tasks, by name.
pub(crate) const MAX_ATTEMPTS: &str = "max_attempts";
/// The latest broadcast to the Hive that this service followed, as it was published.
pub(crate) const HIVE_COMMAND: &str = "hive_order";
/// Set while pending tasks may have a `run_at` that was brought forward because the clock was set back.
pub(crate) const BROUGHT_FORWARD: &str = "brought_forward";
/// Id of the newest journal row whose task is in the full-text index.
pub(crate) const INDEXED_EVENT: &str = "indexed_event";
/// Id of the newest journal row that is counted in the table `stats`.
pub(crate) const STATS_EVENT: &str = "stats_event";

/// Stores the defaults for rows that name no processor or no number of attempts.
pub(crate) async fn set_defaults(
    conn: &mut SqliteConnection,
    processor: &str,
    max_attempts: &BTreeMap<String, i64>,
) -> Result<(), Error> {
    let processor = serde_json::to_string(processor)?;
    set(&mut *conn, DEFAULT_PROCESSOR, &processor).await?;
    let max_attempts = serde_json::to_string(max_attempts)?;
    set(conn, MAX_ATTEMPTS, &max_attempts).await
}

/// Returns the JSON value of `key`, if it has one.
pub(crate) async fn get(conn: impl SqliteExecutor<'_>, key: &str) -> Result<Option<String>, Error> {
    let value = sqlx::query_scalar!(
        r#"SELECT value AS "value!: Text" FROM meta WHERE key = ?1"#,
        key
    )
    .fetch_optional(conn)
    .await?;
    Ok(value.map(String::from))
}

/// Writes `value`, which is JSON, under `key`.
pub(crate) async fn set(conn: &mut SqliteConnection, key: &str, value: &str) -> Result<(), Error> {
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

/// Deletes the value of `key`.
pub(crate) async fn delete(conn: &mut SqliteConnection, key: &str) -> Result<(), Error> {
    sqlx::query!("DELETE FROM meta WHERE key = ?1", key)
        .execute(conn)
        .await?;
    Ok(())
}
