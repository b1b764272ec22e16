//! Deletes what has been kept long enough: final tasks, if there is a setting for it, and idempotency
//! keys after a day. Then gives the free space back to the file system.
//!
//! A loop beside the Writer that finds the rows on the read pool and hands them to the Writer in small
//! chunks, with a rest after each, so that others hardly notice.
//!
//! It looks at the rows stretch by stretch and remembers of each since when nothing in it has finished:
//! until that is long enough ago, the stretch is left alone. So a sweep costs what it deletes, however
//! much is kept, and no row stands in the way of others.

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
/// Rows of a stretch.
const STRETCH_ROWS: i64 = 10_000;
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
                let mut known = Vec::new();
                loop {
                    if let Err(error) = self.sweep(retention(), &mut known).await {
                        tracing::warn!(%error, "old tasks could not be deleted; it is tried again");
                    }
                    tokio::time::sleep(PERIOD).await;
                }
            })
            .await;
    }

    async fn sweep(&self, retention: Retention, known: &mut Vec<Stretch>) -> Result<(), Error> {
        let now = Timestamp::now();
        let deleted = self.delete_old(retention, now, known).await?;
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

    /// Deletes what has been kept long enough; how many. `known` is what the last sweep has seen, and
    /// empty after an error: then everything is looked through again.
    async fn delete_old(
        &self,
        retention: Retention,
        now: Timestamp,
        known: &mut Vec<Stretch>,
    ) -> Result<u64, Error> {
        let old = Old::of(retention, now);
        if old.is_nothing() {
            return Ok(0);
        }
        let (mut after, mut deleted) = (0, 0);
        let mut swept = Vec::new();
        for stretch in std::mem::take(known) {
            let upto = stretch.upto;
            let stretch = match stretch.may_hold(&old) {
                true => {
                    deleted += self.delete_between(after, upto, &old).await?;
                    self.look_at(after, upto, now).await?
                }
                false => stretch,
            };
            join(&mut swept, stretch);
            after = upto;
        }
        // Then what has arrived since. Its last rows make no whole stretch yet.
        while let Some(upto) = end_of_stretch(&self.read, after).await? {
            deleted += self.delete_between(after, upto, &old).await?;
            join(&mut swept, self.look_at(after, upto, now).await?);
            after = upto;
        }
        deleted += self.delete_between(after, i64::MAX, &old).await?;
        *known = swept;
        Ok(deleted)
    }

    /// Deletes what is old after row `after` and up to row `upto`; how many.
    async fn delete_between(&self, after: i64, upto: i64, old: &Old) -> Result<u64, Error> {
        let mut deleted = 0;
        if let Some(time) = &old.completed {
            let mut after = after;
            loop {
                let found = completed_before(&self.read, after, upto, time).await?;
                let Some(last) = found.last() else { break };
                after = last.seq;
                deleted += self.delete_found(found).await?;
            }
        }
        if let Some(time) = &old.failed {
            let mut after = after;
            loop {
                let found = failed_before(&self.read, after, upto, time).await?;
                let Some(last) = found.last() else { break };
                after = last.seq;
                deleted += self.delete_found(found).await?;
            }
        }
        Ok(deleted)
    }

    async fn delete_found(&self, found: Vec<Found>) -> Result<u64, Error> {
        self.ask_and_rest(|reply| Order::Change(Change::Delete, found, reply))
            .await
    }

    /// The stretch after row `after` and up to row `upto` as it is; then a rest of the same length.
    async fn look_at(&self, after: i64, upto: i64, now: Timestamp) -> Result<Stretch, Error> {
        let begun = Instant::now();
        let stretch = stretch_at(&self.read, after, upto, now).await?;
        tokio::time::sleep(begun.elapsed()).await;
        Ok(stretch)
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

/// Before which times tasks have finished that are deleted; `None`: they are kept.
struct Old {
    completed: Option<String>,
    failed: Option<String>,
}

impl Old {
    fn of(retention: Retention, now: Timestamp) -> Self {
        let before = |kept: Option<Duration>| kept.map(|kept| now.before(kept).to_string());
        Self {
            completed: before(retention.completed),
            failed: before(retention.failed),
        }
    }

    fn is_nothing(&self) -> bool {
        self.completed.is_none() && self.failed.is_none()
    }
}

/// The rows behind the stretch before, up to row `upto`, as a sweep has left them.
#[derive(Debug, PartialEq)]
struct Stretch {
    upto: i64,
    rows: i64,
    /// None that is COMPLETED has finished before this time. What becomes so after the sweep finishes
    /// after it, so it is the time of the sweep at most.
    completed: String,
    /// The same of those that are FAILED.
    failed: String,
}

impl Stretch {
    /// Whether something in it may be old.
    fn may_hold(&self, old: &Old) -> bool {
        let is_before =
            |mark: &String, time: &Option<String>| time.as_ref().is_some_and(|time| mark < time);
        is_before(&self.completed, &old.completed) || is_before(&self.failed, &old.failed)
    }
}

/// Adds a stretch behind the others; two that have become small are one from then on.
fn join(stretches: &mut Vec<Stretch>, next: Stretch) {
    match stretches.last_mut() {
        Some(last) if last.rows + next.rows <= STRETCH_ROWS => {
            last.upto = next.upto;
            last.rows += next.rows;
            last.completed = std::mem::take(&mut last.completed).min(next.completed);
            last.failed = std::mem::take(&mut last.failed).min(next.failed);
        }
        _ => stretches.push(next),
    }
}

/// The last row of the stretch after row `after`; `None` if there are too few rows for one.
async fn end_of_stretch(pool: &SqlitePool, after: i64) -> Result<Option<i64>, Error> {
    let others = STRETCH_ROWS - 1;
    let seq = sqlx::query_scalar!(
        r#"SELECT seq AS "seq!" FROM tasks NOT INDEXED
            WHERE seq > ?1 ORDER BY seq LIMIT 1 OFFSET ?2"#,
        after,
        others
    )
    .fetch_optional(pool)
    .await?;
    Ok(seq)
}

async fn stretch_at(
    pool: &SqlitePool,
    after: i64,
    upto: i64,
    now: Timestamp,
) -> Result<Stretch, Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "rows!: i64",
                  min(finished_at) FILTER (WHERE status = 'COMPLETED') AS "completed: Text",
                  min(finished_at) FILTER (WHERE status = 'FAILED') AS "failed: Text"
             FROM tasks NOT INDEXED WHERE seq > ?1 AND seq <= ?2"#,
        after,
        upto
    )
    .fetch_one(pool)
    .await?;
    let mark = |earliest: Option<Text>| {
        let now = now.to_string();
        earliest.map_or(now.clone(), |time| String::from(time).min(now))
    };
    Ok(Stretch {
        upto,
        rows: row.rows,
        completed: mark(row.completed),
        failed: mark(row.failed),
    })
}

struct Row {
    seq: i64,
    finished_at: Text,
}

impl Row {
    fn into_found(self) -> Found {
        Found {
            seq: self.seq,
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
            WHERE seq > ?1 AND seq <= ?2 AND status = 'COMPLETED' AND finished_at < ?3
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
            WHERE seq > ?1 AND seq <= ?2 AND status = 'FAILED' AND finished_at < ?3
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

#[cfg(test)]
mod tests {
    use super::*;

    fn stretch(upto: i64, rows: i64, completed: &str, failed: &str) -> Stretch {
        Stretch {
            upto,
            rows,
            completed: completed.to_owned(),
            failed: failed.to_owned(),
        }
    }

    #[test]
    fn a_stretch_is_left_alone_until_something_in_it_may_be_old() {
        let kept = stretch(1, 1, "2026-01-03", "2026-01-01");
        let old = |completed: Option<&str>, failed: Option<&str>| Old {
            completed: completed.map(str::to_owned),
            failed: failed.map(str::to_owned),
        };
        assert!(!kept.may_hold(&old(Some("2026-01-03"), None)));
        assert!(kept.may_hold(&old(Some("2026-01-04"), None)));
        assert!(kept.may_hold(&old(None, Some("2026-01-02"))));
        assert!(!kept.may_hold(&old(Some("2026-01-02"), Some("2026-01-01"))));
    }

    #[test]
    fn small_stretches_become_one_that_knows_what_both_knew() {
        let mut joined = Vec::new();
        for next in [
            stretch(10_000, 0, "b", "b"),
            stretch(20_000, 9_000, "a", "c"),
            stretch(30_000, 1_000, "c", "a"),
            stretch(40_000, 1, "b", "b"),
        ] {
            join(&mut joined, next);
        }
        let expected = [
            stretch(30_000, 10_000, "a", "a"),
            stretch(40_000, 1, "b", "b"),
        ];
        assert_eq!(joined, expected);
    }
}
