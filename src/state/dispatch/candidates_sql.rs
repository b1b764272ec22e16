//! The SQL that reads which tasks start next in a lane.
//!
//! The index `tasks_open` holds each lane in its order, but being due cuts across the priorities: a million
//! tasks that are not due may precede one that is. So these queries walk a lane by its priorities. One seek
//! finds each next priority, and another finds what is due in it.

use sqlx::SqliteConnection;

use crate::models::{Attempt, Timestamp};
use crate::state::db::text::Text;
use crate::state::dispatch::lanes::candidate::Candidate;
use crate::state::dispatch::lanes::head::LanePosition;
use crate::state::dispatch::lanes::lane_name::LaneName;
use crate::state::error::Error;

/// Returns the first tasks of a lane that are due at `now`, in order.
pub(crate) async fn next_due_tasks(
    conn: &mut SqliteConnection,
    lane: LaneName<'_>,
    now: &str,
    limit: i64,
) -> Result<Vec<Candidate>, Error> {
    let rows = sqlx::query_as!(
        CandidateRow,
        r#"WITH RECURSIVE levels(priority) AS (
               SELECT (SELECT priority FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                          AND processor = ?1 AND concurrency_key IS ?2
                        ORDER BY priority DESC LIMIT 1)
               UNION ALL
               SELECT (SELECT priority FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                          AND processor = ?1 AND concurrency_key IS ?2
                          AND priority < levels.priority
                        ORDER BY priority DESC LIMIT 1)
                 FROM levels WHERE levels.priority IS NOT NULL)
           SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  tasks.priority AS "priority!", run_at AS "run_at!: Text",
                  octet_length(content) AS "bytes!: i64", processor AS "processor!: Text",
                  concurrency_key AS "key: Text"
             FROM levels CROSS JOIN tasks
            WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
              AND processor = ?1 AND concurrency_key IS ?2
              AND tasks.priority = levels.priority AND run_at <= ?3
            LIMIT ?4"#,
        lane.processor,
        lane.key,
        now,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(CandidateRow::into_candidate)
        .collect())
}

/// Returns when the next task of a lane becomes due whose priority is above `priority`.
pub(crate) async fn next_more_urgent(
    conn: &mut SqliteConnection,
    lane: LaneName<'_>,
    priority: i64,
    now: &str,
) -> Result<Option<Timestamp>, Error> {
    let next = sqlx::query_scalar!(
        r#"WITH RECURSIVE levels(priority) AS (
               SELECT (SELECT priority FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                          AND processor = ?1 AND concurrency_key IS ?2 AND priority > ?3
                        ORDER BY priority DESC LIMIT 1)
               UNION ALL
               SELECT (SELECT priority FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                          AND processor = ?1 AND concurrency_key IS ?2 AND priority > ?3
                          AND priority < levels.priority
                        ORDER BY priority DESC LIMIT 1)
                 FROM levels WHERE levels.priority IS NOT NULL)
           SELECT min((SELECT run_at FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                          AND processor = ?1 AND concurrency_key IS ?2
                          AND priority = levels.priority AND run_at > ?4
                        ORDER BY run_at LIMIT 1)) AS "next: Text"
             FROM levels"#,
        lane.processor,
        lane.key,
        priority,
        now
    )
    .fetch_one(conn)
    .await?;
    Ok(next.map(|time| time.time_or_now()))
}

/// Returns those of the tasks in the rows `seqs` that are pending.
pub(crate) async fn candidates_at(
    conn: &mut SqliteConnection,
    seqs: &[i64],
) -> Result<Vec<Candidate>, Error> {
    let seqs = serde_json::to_string(seqs)?;
    let rows = sqlx::query_as!(
        CandidateRow,
        r#"SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  priority AS "priority!", run_at AS "run_at!: Text",
                  octet_length(content) AS "bytes!: i64", processor AS "processor!: Text",
                  concurrency_key AS "key: Text"
             FROM tasks WHERE seq IN (SELECT value FROM jsonb_each(?1)) AND +status = 'PENDING'"#,
        seqs
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(CandidateRow::into_candidate)
        .collect())
}

struct CandidateRow {
    seq: i64,
    id: Text,
    attempt: i64,
    priority: i64,
    run_at: Text,
    bytes: i64,
    processor: Text,
    key: Option<Text>,
}

impl CandidateRow {
    /// Returns `None` for a row that another program has damaged, so that it does not stop the others.
    fn into_candidate(self) -> Option<Candidate> {
        let task_id = self
            .id
            .parse_id()
            .inspect_err(|error| {
                tracing::error!(row = self.seq, %error, "skipped a pending task: its row is damaged");
            })
            .ok()?;
        Some(Candidate {
            attempt: Attempt {
                seq: self.seq,
                task_id,
                number: self.attempt + 1,
            },
            position: LanePosition::new(self.priority, self.run_at.time_or_now(), self.seq),
            processor: self.processor.into(),
            key: self.key.map(String::from),
            bytes: usize::try_from(self.bytes).unwrap_or(0),
        })
    }
}
