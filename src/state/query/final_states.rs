//! Reads the final state of every task, for `venom crash-test`, which compares it with what was promised.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{Connection, Row};

use crate::models::TaskStatus;
use crate::state::db::open;
use crate::state::db::open_error::OpenError;

/// The final state of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinalState {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) content: String,
    pub(crate) result: Option<String>,
    /// Number of its TASK_COMPLETED events.
    pub(crate) completions: i64,
    /// Whether it FAILED as `lost`, because the service died too often while it was running.
    pub(crate) given_up: bool,
}

impl FinalState {
    /// Returns whether it is COMPLETED.
    pub(crate) fn is_completed(&self) -> bool {
        self.status == TaskStatus::Completed.as_str()
    }
}

/// Passes every task of the database at `path` to `take`, oldest first.
///
/// # Errors
/// When the file is not a Venom database or cannot be read.
pub(crate) async fn fates(path: &Path, mut take: impl FnMut(FinalState)) -> Result<(), OpenError> {
    let mut conn = open::open_to_read(path).await?;
    let mut rows = sqlx::query(
        "SELECT id, status, content, result,
                (SELECT count(*) FROM logs
                  WHERE task_id = tasks.id AND type = 'TASK_COMPLETED') AS completions,
                coalesce(failure = 'lost', FALSE) AS given_up
           FROM tasks ORDER BY seq",
    )
    .fetch(&mut conn);
    let failed = |error: sqlx::Error| OpenError::sqlite(path, &error);
    while let Some(row) = rows.try_next().await.map_err(failed)? {
        take(FinalState {
            id: row.get("id"),
            status: row.get("status"),
            content: row.get("content"),
            result: row.get("result"),
            completions: row.get("completions"),
            given_up: row.get("given_up"),
        });
    }
    drop(rows);
    let _ = conn.close().await;
    Ok(())
}
