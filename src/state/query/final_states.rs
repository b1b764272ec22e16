//! What has become of every task of a database, for those who check what was promised about them.

use std::path::Path;

use futures_util::TryStreamExt;
use sqlx::{Connection, Row};

use crate::models::TaskStatus;
use crate::state::db::open;
use crate::state::db::open::OpenError;

/// What has become of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinalState {
    pub(crate) id: String,
    pub(crate) status: String,
    pub(crate) content: String,
    pub(crate) result: Option<String>,
    /// How often it has COMPLETED.
    pub(crate) completions: i64,
    /// Whether it was given up because the service died under it again and again.
    pub(crate) given_up: bool,
}

impl FinalState {
    /// Whether it has COMPLETED.
    pub(crate) fn is_completed(&self) -> bool {
        self.status == TaskStatus::Completed.as_str()
    }
}

/// Hands every task of the database at `path` to `take`, oldest first.
///
/// # Errors
/// When the file is no database of ours or cannot be read.
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
