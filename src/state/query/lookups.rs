//! What is looked up before a submission is written: stored answers, holders of unique keys, statuses.

use std::collections::HashMap;

use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;

/// The answer to an earlier request with an `Idempotency-Key`.
pub(crate) struct StoredReply {
    /// SHA-256 of that request's body, as SQLite's `hex()` writes it.
    body: String,
    pub(crate) task_ids: Vec<TaskId>,
    pub(crate) created_at: Timestamp,
}

impl StoredReply {
    /// Returns the answer if this request has the same body.
    ///
    /// # Errors
    /// [`Error::KeyReused`] if it has another.
    pub(crate) fn to(&self, body: &[u8]) -> Result<&Self, Error> {
        if self.body == hex(body) {
            Ok(self)
        } else {
            Err(Error::KeyReused)
        }
    }
}

/// Bytes as SQLite's `hex()` writes them.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// The answers stored under these idempotency keys (a JSON list).
pub(crate) async fn stored_replies(
    conn: &mut SqliteConnection,
    keys: &str,
) -> Result<HashMap<String, StoredReply>, Error> {
    let rows = sqlx::query!(
        r#"SELECT key AS "key!: Text", hex(body) AS "body!: Text", task_ids AS "task_ids!: Text",
                  created_at AS "created_at!: Text"
             FROM idempotency WHERE key IN (SELECT value FROM jsonb_each(?1))"#,
        keys
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let reply = StoredReply {
                body: row.body.into(),
                task_ids: json(&row.task_ids)?,
                created_at: row.created_at.time_or_now(),
            };
            Ok((row.key.into(), reply))
        })
        .collect()
}

/// The open tasks that have one of these unique keys (a JSON list).
pub(crate) async fn unique_key_holders(
    conn: &mut SqliteConnection,
    keys: &str,
) -> Result<HashMap<String, TaskId>, Error> {
    let rows = sqlx::query!(
        r#"SELECT unique_key AS "key!: Text", id AS "id!: Text" FROM tasks
            WHERE unique_key IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NULL"#,
        keys
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.key.into(), row.id.parse_id()?)))
        .collect()
}

/// The statuses of those of these tasks (a JSON list of ids) that exist.
pub(crate) async fn statuses(
    conn: &mut SqliteConnection,
    ids: &str,
) -> Result<HashMap<TaskId, TaskStatus>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!: Text", status AS "status!: Text" FROM tasks
            WHERE id IN (SELECT value FROM jsonb_each(?1))"#,
        ids
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse();
            let status = status.map_err(|_| Error::BadRow("tasks.status".to_owned()))?;
            Ok((row.id.parse_id()?, status))
        })
        .collect()
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(text)?)
}
