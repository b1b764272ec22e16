//! What a person wants to see of everything at once: how many tasks there are, what the files take, what
//! holds the queue, and what waits for a task. Only reads.

use serde::Serialize;
use sqlx::SqlitePool;
use utoipa::ToSchema;

use super::handle::StateManager;
use super::text::Text;
use super::{Error, meta, reads};
use crate::models::{Pause, TaskId, TaskStatus, Timestamp};

/// The most downstream tasks that are named.
const DOWNSTREAM_LIMIT: i64 = 1000;

/// How many tasks have each status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub struct Counts {
    pub pending: i64,
    pub processing: i64,
    pub completed: i64,
    pub failed: i64,
}

/// A task that waits for another one.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Downstream {
    #[schema(value_type = Uuid)]
    pub id: TaskId,
    pub status: TaskStatus,
    pub processor: String,
}

/// The database as a file.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct FileUse {
    pub database_bytes: i64,
    /// Part of it that holds nothing and is used for what comes next.
    pub free_bytes: i64,
    /// The task that arrived first of those that are there.
    #[schema(required)]
    pub oldest_task: Option<Oldest>,
}

/// The task that arrived first.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = OldestTask)]
pub struct Oldest {
    #[schema(value_type = Uuid)]
    pub id: TaskId,
    pub created_at: Timestamp,
}

impl StateManager {
    /// How many tasks have each status.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn counts(&self) -> Result<Counts, Error> {
        // COMPLETED is what is left, because no index holds it: each completion would have to pay for one.
        let row = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM tasks) AS "all!: i64",
                      (SELECT count(*) FROM tasks WHERE status = 'FAILED') AS "failed!: i64",
                      (SELECT count(*) FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING') AS "pending!: i64",
                      (SELECT count(*) FROM tasks
                        WHERE finished_at IS NULL AND status = 'PROCESSING') AS "processing!: i64""#
        )
        .fetch_one(&self.read)
        .await?;
        Ok(Counts {
            pending: row.pending,
            processing: row.processing,
            completed: row.all - row.failed - row.pending - row.processing,
            failed: row.failed,
        })
    }

    /// The pause of the queue that holds, if one does.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn queue_pause(&self) -> Result<Option<Pause>, Error> {
        let stored = reads::meta(&self.read, meta::PAUSE).await?;
        let pause: Option<Pause> = stored.as_deref().map(serde_json::from_str).transpose()?;
        Ok(pause.filter(|pause| pause.holds_at(Timestamp::now())))
    }

    /// The tasks that still wait for this one, oldest first; at most a thousand of them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn downstream_of(&self, task: TaskId) -> Result<Vec<Downstream>, Error> {
        let id = task.hyphenated().to_string();
        let rows = sqlx::query!(
            r#"SELECT id AS "id!: Text", status AS "status!: Text", processor AS "processor!: Text"
                 FROM tasks JOIN links ON links.downstream = tasks.id
                WHERE links.upstream = ?1 ORDER BY seq LIMIT ?2"#,
            id,
            DOWNSTREAM_LIMIT
        )
        .fetch_all(&self.read)
        .await?;
        rows.into_iter()
            .map(|row| {
                let status = row.status.parse();
                Ok(Downstream {
                    id: row.id.parse_id()?,
                    status: status.map_err(|_| Error::BadRow("tasks.status".to_owned()))?,
                    processor: row.processor.into(),
                })
            })
            .collect()
    }

    /// What the database takes, and how far back it goes.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn file_use(&self) -> Result<FileUse, Error> {
        let oldest = sqlx::query!(
            r#"SELECT id AS "id!: Text", created_at AS "created_at!: Text"
                 FROM tasks ORDER BY seq LIMIT 1"#
        )
        .fetch_optional(&self.read)
        .await?;
        let oldest_task = match oldest {
            None => None,
            Some(row) => Some(Oldest {
                id: row.id.parse_id()?,
                created_at: row.created_at.time_or_now(),
            }),
        };
        let page_size = pragma(&self.read, "PRAGMA page_size").await?;
        Ok(FileUse {
            database_bytes: page_size * pragma(&self.read, "PRAGMA page_count").await?,
            free_bytes: page_size * pragma(&self.read, "PRAGMA freelist_count").await?,
            oldest_task,
        })
    }
}

async fn pragma(pool: &SqlitePool, question: &'static str) -> Result<i64, Error> {
    Ok(sqlx::query_scalar(question).fetch_one(pool).await?)
}
