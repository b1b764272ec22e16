//! The SQL for attempts that end without an outcome: their tasks become PENDING again, or FAILED as `lost`.

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::models::{Attempt, Timestamp};
use crate::state::db::text::Text;
use crate::state::dispatch::lanes::head::LanePosition;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;

/// Makes the tasks of crashed attempts PENDING again, without counting the attempts.
pub(crate) async fn release_crashed_if_running(
    conn: &mut SqliteConnection,
    attempts: &[Attempt],
) -> Result<(), Error> {
    let rows = attempt_rows(attempts)?;
    sqlx::query!(
        "UPDATE tasks
            SET status = 'PENDING', uncounted = uncounted + 1, crashes = crashes + 1,
                started_at = NULL, progress = NULL, leased_until = NULL
           FROM jsonb_each(?1) AS running
          WHERE tasks.seq = running.value ->> 0 AND tasks.attempt = running.value ->> 1
            AND +tasks.status = 'PROCESSING'",
        rows
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// An attempt whose task becomes PENDING again: seq, attempt, run_at (`None`: at once), error (`None`: the attempt
/// does not count).
#[derive(Serialize)]
pub(crate) struct RetryAttempt<'a>(
    pub(crate) i64,
    pub i64,
    pub(crate) Option<Timestamp>,
    pub(crate) Option<&'a str>,
);

/// The fields of a PENDING task that the queue state needs.
pub(crate) struct Waiting {
    pub(crate) seq: i64,
    pub(crate) processor: String,
    pub(crate) concurrency_key: Option<String>,
    pub(crate) priority: i64,
    pub(crate) run_at: Timestamp,
}

impl Waiting {
    pub(crate) fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.processor,
            key: self.concurrency_key.as_deref(),
        }
    }

    pub(crate) fn place(&self) -> LanePosition {
        LanePosition::new(self.priority, self.run_at, self.seq)
    }
}

/// Makes the tasks of ended attempts PENDING again. Returns those that were still running.
pub(crate) async fn retry_attempts_if_running(
    conn: &mut SqliteConnection,
    attempts: &[RetryAttempt<'_>],
) -> Result<Vec<Waiting>, Error> {
    let rows = serde_json::to_string(attempts)?;
    let waiting = sqlx::query!(
        r#"UPDATE tasks
              SET status = 'PENDING', started_at = NULL, progress = NULL, leased_until = NULL,
                  run_at = coalesce(ended.value ->> 2, run_at),
                  error = coalesce(ended.value ->> 3, error),
                  uncounted = uncounted + (ended.value ->> 3 IS NULL)
             FROM jsonb_each(?1) AS ended
            WHERE tasks.seq = ended.value ->> 0 AND tasks.attempt = ended.value ->> 1
              AND +tasks.status = 'PROCESSING'
        RETURNING seq AS "seq!", processor AS "processor!: Text",
                  concurrency_key AS "concurrency_key: Text", priority AS "priority!",
                  run_at AS "run_at!: Text""#,
        rows
    )
    .fetch_all(conn)
    .await?;
    let waiting = waiting.into_iter().map(|row| Waiting {
        seq: row.seq,
        processor: row.processor.into(),
        concurrency_key: row.concurrency_key.map(String::from),
        priority: row.priority,
        run_at: row.run_at.time_or_now(),
    });
    Ok(waiting.collect())
}

/// Fails tasks under which the service has crashed too often.
pub(crate) async fn fail_lost(
    conn: &mut SqliteConnection,
    attempts: &[Attempt],
    error: &str,
    now: &str,
) -> Result<(), Error> {
    let rows = attempt_rows(attempts)?;
    sqlx::query!(
        "UPDATE tasks
            SET status = 'FAILED', failure = 'lost', error = ?2, finished_at = ?3,
                crashes = crashes + 1, leased_until = NULL
           FROM jsonb_each(?1) AS running
          WHERE tasks.seq = running.value ->> 0 AND +tasks.status = 'PROCESSING'",
        rows,
        error,
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

fn attempt_rows(attempts: &[Attempt]) -> Result<String, Error> {
    let rows: Vec<_> = attempts
        .iter()
        .map(|attempt| (attempt.seq, attempt.number))
        .collect();
    Ok(serde_json::to_string(&rows)?)
}
