//! The SQL that reads which tasks were running when the service ended: interrupted ones, and those that outside
//! workers still hold.

use std::time::Duration;

use sqlx::SqliteExecutor;

use crate::models::{Attempt, ClaimedTask, Lease, LeaseOrigin, Terms, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;

// The bounds of the setting `lease`: another program may have written any time.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_hours(24);

/// An attempt that was running when the service died.
#[derive(Debug)]
pub(crate) struct Interrupted {
    pub(crate) attempt: Attempt,
    pub(crate) processor: String,
    pub(crate) crashes: i64,
}

/// Returns every PROCESSING task, except those that outside workers hold.
pub(crate) async fn interrupted(conn: impl SqliteExecutor<'_>) -> Result<Vec<Interrupted>, Error> {
    let rows = sqlx::query!(
        r#"SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  processor AS "processor!: Text", crashes AS "crashes!"
             FROM tasks
            WHERE finished_at IS NULL AND status = 'PROCESSING' AND leased_until IS NULL"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Interrupted {
                attempt: Attempt {
                    seq: row.seq,
                    task_id: row.id.parse_id()?,
                    number: row.attempt,
                },
                processor: row.processor.into(),
                crashes: row.crashes,
            })
        })
        .collect()
}

/// Returns every attempt that an outside worker holds, with the time at which it began. The contents are empty.
pub(crate) async fn leased(
    conn: impl SqliteExecutor<'_>,
) -> Result<Vec<(ClaimedTask, Timestamp)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  processor AS "processor!: Text", concurrency_key AS "concurrency_key: Text",
                  coalesce(max_attempts, 1) AS "max_attempts!: i64", uncounted AS "uncounted!",
                  timeout AS "timeout: f64", upstream IS NOT NULL AS "has_upstream!: bool",
                  coalesce(started_at, leased_until) AS "started_at!: Text",
                  leased_until AS "leased_until!: Text"
             FROM tasks
            WHERE finished_at IS NULL AND status = 'PROCESSING' AND leased_until IS NOT NULL"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let since = row.started_at.time_or_now();
            let seconds = row.leased_until.time_or_now().seconds_since(since);
            let length = Duration::try_from_secs_f64(seconds).unwrap_or(SHORTEST_LEASE);
            let task = ClaimedTask {
                attempt: Attempt {
                    seq: row.seq,
                    task_id: row.id.parse_id()?,
                    number: row.attempt,
                },
                content: String::new(),
                processor: row.processor.into(),
                concurrency_key: row.concurrency_key.map(String::from),
                terms: Terms {
                    max_attempts: row.max_attempts,
                    uncounted: row.uncounted,
                    timeout: row
                        .timeout
                        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                    has_upstream: row.has_upstream,
                    lease: Some(Lease {
                        length: length.clamp(SHORTEST_LEASE, LONGEST_LEASE),
                        origin: LeaseOrigin::Restart(since),
                    }),
                },
            };
            Ok((task, since))
        })
        .collect()
}
