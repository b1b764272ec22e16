//! The stretches of rows that the retention loop sweeps, and the SQL that finds old tasks in them.

use std::time::Duration;

use sqlx::SqlitePool;

use super::{CHUNK_ROWS, Retention};
use crate::models::Timestamp;
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::list::FoundTask;

/// Rows in a stretch.
const STRETCH_ROWS: i64 = 10_000;

/// Finish times before which tasks are deleted; `None`: they are kept.
pub(crate) struct Old {
    pub(crate) completed: Option<String>,
    pub(crate) failed: Option<String>,
}

impl Old {
    pub(crate) fn of(retention: Retention, now: Timestamp) -> Self {
        let before = |kept: Option<Duration>| kept.map(|kept| now.before(kept).to_string());
        Self {
            completed: before(retention.completed),
            failed: before(retention.failed),
        }
    }

    pub(crate) fn is_nothing(&self) -> bool {
        self.completed.is_none() && self.failed.is_none()
    }
}

/// The rows after the previous stretch up to row `upto`, as the last sweep left them.
#[derive(Debug, PartialEq)]
pub(crate) struct Stretch {
    pub(crate) upto: i64,
    rows: i64,
    /// No COMPLETED task in it finished before this time. Tasks that finish later do so after the sweep, so this is at
    /// most the time of the sweep.
    completed: String,
    /// No FAILED task in it finished before this time.
    failed: String,
}

impl Stretch {
    /// Returns whether a task in it may be old enough to delete.
    pub(crate) fn may_hold(&self, old: &Old) -> bool {
        let is_before =
            |mark: &String, time: &Option<String>| time.as_ref().is_some_and(|time| mark < time);
        is_before(&self.completed, &old.completed) || is_before(&self.failed, &old.failed)
    }
}

/// Appends a stretch, merged into the last one if both are small.
pub(crate) fn join(stretches: &mut Vec<Stretch>, next: Stretch) {
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

/// Returns the last row of the stretch after row `after`; `None` if too few rows follow.
pub(crate) async fn end_of_stretch(pool: &SqlitePool, after: i64) -> Result<Option<i64>, Error> {
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

pub(crate) async fn stretch_at(
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

struct OldTaskRow {
    seq: i64,
    finished_at: Text,
}

impl OldTaskRow {
    fn into_found(self) -> FoundTask {
        FoundTask {
            seq: self.seq,
            finished_at: Some(self.finished_at.into()),
        }
    }
}

pub(crate) async fn completed_before(
    pool: &SqlitePool,
    after: i64,
    upto: i64,
    time: &str,
) -> Result<Vec<FoundTask>, Error> {
    let rows = sqlx::query_as!(
        OldTaskRow,
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
    Ok(rows.into_iter().map(OldTaskRow::into_found).collect())
}

pub(crate) async fn failed_before(
    pool: &SqlitePool,
    after: i64,
    upto: i64,
    time: &str,
) -> Result<Vec<FoundTask>, Error> {
    let rows = sqlx::query_as!(
        OldTaskRow,
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
    Ok(rows.into_iter().map(OldTaskRow::into_found).collect())
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
