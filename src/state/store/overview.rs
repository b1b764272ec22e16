//! The numbers of the overview: tasks by status, size of the database, the pause of the queue, and the tasks that
//! depend on a task. Reads only.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use sqlx::SqlitePool;
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::models::{Pause, TaskId, TaskStatus, Timestamp};
use crate::state::db::meta;
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::store::StateManager;

/// Downstream tasks to return at most.
const DOWNSTREAM_LIMIT: i64 = 1000;

/// Number of tasks below which every call counts anew.
const MANY: i64 = 100_000;
/// A count of many tasks is reused for this many times as long as it took. So counting takes at most a twentieth of one
/// reader's time, whatever the number of clients.
const HOLDS_FACTOR: u32 = 20;

/// The number of tasks of each status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
// Generated clients know the schema by this name.
#[schema(as = Counts)]
pub(crate) struct TaskCounts {
    pub(crate) pending: i64,
    pub(crate) processing: i64,
    pub(crate) completed: i64,
    pub(crate) failed: i64,
}

/// The latest count. Callers that wait for the lock share the next one.
pub(crate) type LastCount = Arc<Mutex<Option<CachedCounts>>>;

/// A count, with its time and duration.
#[derive(Debug)]
pub(crate) struct CachedCounts {
    counts: TaskCounts,
    at: Instant,
    took: Duration,
}

impl CachedCounts {
    /// Returns whether the count can be reused at `now`.
    fn is_fresh(&self, now: Instant) -> bool {
        let TaskCounts {
            pending,
            processing,
            completed,
            failed,
        } = self.counts;
        pending + processing + completed + failed >= MANY
            && now.duration_since(self.at) < self.took * HOLDS_FACTOR
    }
}

/// A task that depends on another one.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Downstream {
    #[schema(value_type = Uuid)]
    pub(crate) id: TaskId,
    pub(crate) status: TaskStatus,
    pub(crate) processor: String,
}

/// The size and the age of the database.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct FileUse {
    pub(crate) database_bytes: i64,
    /// Free space inside the file, which new rows use first.
    pub(crate) free_bytes: i64,
    /// The oldest task.
    #[schema(required)]
    pub(crate) oldest_task: Option<Oldest>,
}

/// The oldest task.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = OldestTask)]
pub(crate) struct Oldest {
    #[schema(value_type = Uuid)]
    pub(crate) id: TaskId,
    pub(crate) created_at: Timestamp,
}

impl StateManager {
    /// How many tasks have each status; of very many, as they were a moment ago.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn counts(&self) -> Result<TaskCounts, Error> {
        let mut last = self.last_count.lock().await;
        if let Some(counted) = &*last
            && counted.is_fresh(Instant::now())
        {
            return Ok(counted.counts.clone());
        }
        let begun = Instant::now();
        let counts = self.count_tasks().await?;
        let at = Instant::now();
        *last = Some(CachedCounts {
            counts: counts.clone(),
            at,
            took: at.duration_since(begun),
        });
        Ok(counts)
    }

    async fn count_tasks(&self) -> Result<TaskCounts, Error> {
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
        Ok(TaskCounts {
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
    pub(crate) async fn queue_pause(&self) -> Result<Option<Pause>, Error> {
        let stored = meta::get(&self.read, meta::PAUSE).await?;
        let pause: Option<Pause> = stored.as_deref().map(serde_json::from_str).transpose()?;
        Ok(pause.filter(|pause| pause.is_active_at(Timestamp::now())))
    }

    /// The tasks that still wait for this one, oldest first; at most a thousand of them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn downstream_of(&self, task: TaskId) -> Result<Vec<Downstream>, Error> {
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
    pub(crate) async fn file_use(&self) -> Result<FileUse, Error> {
        let oldest = sqlx::query!(
            r#"SELECT id AS "id!: Text", created_at AS "created_at!: Text"
                 FROM tasks ORDER BY seq LIMIT 1"#
        )
        .fetch_optional(&self.read)
        .await?;
        let oldest_task = oldest.and_then(|row| {
            Some(Oldest {
                id: row.id.parse_id().ok()?,
                created_at: row.created_at.time_or_now(),
            })
        });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(completed: i64) -> CachedCounts {
        CachedCounts {
            counts: TaskCounts {
                pending: 0,
                processing: 0,
                completed,
                failed: 0,
            },
            at: Instant::now(),
            took: Duration::from_millis(50),
        }
    }

    #[test]
    fn a_count_of_many_holds_for_a_while_and_one_of_few_never() {
        let few = counted(MANY - 1);
        assert!(!few.is_fresh(few.at));
        let many = counted(MANY);
        assert!(many.is_fresh(many.at + Duration::from_millis(999)));
        assert!(!many.is_fresh(many.at + Duration::from_secs(1)));
    }
}
