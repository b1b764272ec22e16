//! Deletes what has been kept long enough: final tasks, if there is a setting for it, and idempotency
//! keys after a day. Then gives the free space back to the file system.
//!
//! A loop beside the Writer that finds the rows on the read pool and hands them to the Writer in small
//! chunks, with a rest after each, so that others hardly notice.

use std::time::Duration;

use sqlx::{SqliteConnection, SqlitePool};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::lists::Found;
use super::request::{Change, Order};
use super::schedules::OWN_KEY;
use super::text::Text;
use super::{Error, StateManager};
use crate::models::Timestamp;

/// Time between two sweeps.
const PERIOD: Duration = Duration::from_secs(60);
/// How long the answer to an `Idempotency-Key` is kept.
const KEYS_KEPT: Duration = Duration::from_hours(24);
/// Rows deleted in one transaction.
const CHUNK_ROWS: i64 = 100;
/// Pages given back in one transaction.
const CHUNK_PAGES: i64 = 256;
/// Free pages that stay in the file, for what comes next.
const SPARE_PAGES: i64 = 256;

/// How long final tasks are kept once they have finished; `None`: for ever.
#[derive(Clone, Copy, Debug, Default)]
pub struct Retention {
    pub completed: Option<Duration>,
    pub failed: Option<Duration>,
}

impl StateManager {
    /// Sweeps now and then every minute, until `stop`; `retention` is asked each time.
    pub async fn keep_small(&self, retention: impl Fn() -> Retention, stop: CancellationToken) {
        let _ = stop
            .run_until_cancelled(async {
                loop {
                    if let Err(error) = self.sweep(retention()).await {
                        tracing::warn!(%error, "old tasks could not be deleted; it is tried again");
                    }
                    tokio::time::sleep(PERIOD).await;
                }
            })
            .await;
    }

    async fn sweep(&self, retention: Retention) -> Result<(), Error> {
        let now = Timestamp::now();
        let mut deleted = 0;
        if let Some(kept) = retention.completed {
            deleted += self.delete_finished_before(false, now.before(kept)).await?;
        }
        if let Some(kept) = retention.failed {
            deleted += self.delete_finished_before(true, now.before(kept)).await?;
        }
        if deleted > 0 {
            tracing::info!(tasks = deleted, "old tasks deleted");
        }
        let before = now.before(KEYS_KEPT);
        while self
            .ask_and_rest(|reply| Order::ForgetKeys(before, reply))
            .await?
            > 0
        {}
        let mut left = i64::MAX;
        loop {
            let before = std::mem::replace(&mut left, self.ask_and_rest(Order::Shrink).await?);
            if left <= SPARE_PAGES || left >= before {
                return Ok(());
            }
        }
    }

    /// Deletes the COMPLETED (or FAILED) tasks that finished before `time`; how many.
    async fn delete_finished_before(&self, failed: bool, time: Timestamp) -> Result<u64, Error> {
        let time = time.to_string();
        let upto = first_created_at(&self.read, &time).await?;
        let mut after = 0;
        let mut deleted = 0;
        loop {
            let found = match failed {
                true => failed_before(&self.read, after, upto, &time).await?,
                false => completed_before(&self.read, after, upto, &time).await?,
            };
            let Some(last) = found.last() else {
                return Ok(deleted);
            };
            after = last.seq;
            let change = |reply| Order::Change(Change::Delete, found, reply);
            deleted += self.ask_and_rest(change).await?;
        }
    }

    /// Asks the Writer, and then leaves it alone for as long as that took.
    async fn ask_and_rest<T>(
        &self,
        order: impl FnOnce(super::request::Reply<T>) -> Order,
    ) -> Result<T, Error> {
        let begun = Instant::now();
        let answer = self.ask(order).await?;
        tokio::time::sleep(begun.elapsed()).await;
        Ok(answer)
    }
}

/// The first row that was created at `time` or later: those that follow cannot have finished before,
/// unless they were imported, and then they are met when this row is old enough.
async fn first_created_at(pool: &SqlitePool, time: &str) -> Result<i64, Error> {
    let seq = sqlx::query_scalar!(
        r#"SELECT seq AS "seq!" FROM tasks NOT INDEXED WHERE created_at >= ?1 ORDER BY seq LIMIT 1"#,
        time
    )
    .fetch_optional(pool)
    .await?;
    Ok(seq.unwrap_or(i64::MAX))
}

struct Row {
    seq: i64,
    finished_at: Text,
}

impl Row {
    fn into_found(self) -> Found {
        Found {
            seq: self.seq,
            bytes: 0,
            finished_at: Some(self.finished_at.into()),
        }
    }
}

async fn completed_before(
    pool: &SqlitePool,
    after: i64,
    upto: i64,
    time: &str,
) -> Result<Vec<Found>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT seq AS "seq!", finished_at AS "finished_at!: Text" FROM tasks NOT INDEXED
            WHERE seq > ?1 AND seq < ?2 AND status = 'COMPLETED' AND finished_at < ?3
            ORDER BY seq LIMIT ?4"#,
        after,
        upto,
        time,
        CHUNK_ROWS
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Row::into_found).collect())
}

async fn failed_before(
    pool: &SqlitePool,
    after: i64,
    upto: i64,
    time: &str,
) -> Result<Vec<Found>, Error> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT seq AS "seq!", finished_at AS "finished_at!: Text"
             FROM tasks INDEXED BY tasks_failed
            WHERE seq > ?1 AND seq < ?2 AND status = 'FAILED' AND finished_at < ?3
            ORDER BY seq LIMIT ?4"#,
        after,
        upto,
        time,
        CHUNK_ROWS
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Row::into_found).collect())
}

/// Forgets some of the clients' idempotency keys from before `time`; how many.
pub(super) async fn forget_keys(
    conn: &mut SqliteConnection,
    time: Timestamp,
) -> Result<u64, Error> {
    let time = time.to_string();
    let own = format!("{OWN_KEY}*");
    let forgotten = sqlx::query!(
        "DELETE FROM idempotency WHERE key IN
             (SELECT key FROM idempotency
               WHERE created_at < ?1 AND key NOT GLOB ?2 ORDER BY created_at LIMIT ?3)",
        time,
        own,
        CHUNK_ROWS
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Gives some free pages back, if there are many; how many are left.
pub(super) async fn shrink(conn: &mut SqliteConnection) -> Result<i64, Error> {
    let free = free_pages(conn).await?;
    if free <= SPARE_PAGES {
        return Ok(free);
    }
    let pages = CHUNK_PAGES.min(free - SPARE_PAGES);
    // A pragma takes no arguments. It answers a row for each page, all of which are to be fetched.
    let pragma = format!("PRAGMA incremental_vacuum({pages})");
    sqlx::query(sqlx::AssertSqlSafe(pragma))
        .fetch_all(&mut *conn)
        .await?;
    free_pages(conn).await
}

async fn free_pages(conn: &mut SqliteConnection) -> Result<i64, Error> {
    let pages = sqlx::query_scalar("PRAGMA freelist_count")
        .fetch_one(conn)
        .await?;
    Ok(pages)
}
