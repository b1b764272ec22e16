//! The SQL that reads how long pending tasks have been ready, and how many tasks of its lane precede one.
//!
//! The index `tasks_open` holds each lane in its order, but being due cuts across the priorities: a million
//! tasks that are not due may precede one that is. So these queries walk a lane by its priorities. One seek
//! finds each next priority, and another finds what is due in it.

use sqlx::SqliteExecutor;

use crate::models::TaskId;
use crate::state::db::text::Text;
use crate::state::dispatch::due_since::DueKey;
use crate::state::error::Error;

/// Returns due tasks by processor. The task of a processor that has been due longest is among them.
///
/// They are the earliest tasks of each key and priority, each found by one seek. With very many keys the query
/// stops early.
pub(crate) async fn oldest_due(
    conn: impl SqliteExecutor<'_>,
    now: &str,
) -> Result<Vec<(String, DueKey)>, Error> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE levels(seq) AS (
               SELECT (SELECT seq FROM tasks
                        WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                        ORDER BY processor, concurrency_key, priority DESC, run_at LIMIT 1)
               UNION ALL
               SELECT coalesce(
                   (SELECT seq FROM tasks
                     WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                       AND processor = me.processor AND concurrency_key IS me.concurrency_key
                       AND priority < me.priority
                     ORDER BY priority DESC, run_at LIMIT 1),
                   (SELECT seq FROM tasks
                     WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                       AND processor = me.processor
                       AND concurrency_key > coalesce(me.concurrency_key, '')
                     ORDER BY concurrency_key, priority DESC, run_at LIMIT 1),
                   (SELECT seq FROM tasks
                     WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                       AND processor > me.processor
                     ORDER BY processor, concurrency_key, priority DESC, run_at LIMIT 1))
                 FROM levels JOIN tasks AS me ON me.seq = levels.seq
                LIMIT 10000)
           SELECT seq AS "seq!", processor AS "processor!: Text", run_at AS "run_at!: Text",
                  (upstream IS NOT NULL OR uncounted > 0) AS "was_held!: bool",
                  source = 'import' AS "is_imported!: bool"
             FROM levels JOIN tasks USING (seq)
            WHERE run_at <= ?1"#,
        now
    )
    .fetch_all(conn)
    .await?;
    let oldest = rows.into_iter().map(|row| {
        let due = DueKey {
            seq: row.seq,
            run_at: row.run_at.time_or_now(),
            was_held: row.was_held,
            is_imported: row.is_imported,
        };
        (row.processor.into(), due)
    });
    Ok(oldest.collect())
}

/// Returns the number of tasks in the lane that start before this pending task: they are due and precede it.
pub(crate) async fn count_ahead(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
    now: &str,
) -> Result<i64, Error> {
    let id = task.hyphenated().to_string();
    let ahead = sqlx::query_scalar!(
        r#"SELECT (WITH RECURSIVE levels(priority) AS (
                       SELECT (SELECT priority FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = me.processor
                                  AND concurrency_key IS me.concurrency_key
                                  AND priority > me.priority
                                ORDER BY priority DESC LIMIT 1)
                       UNION ALL
                       SELECT (SELECT priority FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = me.processor
                                  AND concurrency_key IS me.concurrency_key
                                  AND priority > me.priority AND priority < levels.priority
                                ORDER BY priority DESC LIMIT 1)
                         FROM levels WHERE levels.priority IS NOT NULL)
                   SELECT count(*)
                     FROM levels CROSS JOIN tasks
                    WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                      AND processor = me.processor AND concurrency_key IS me.concurrency_key
                      AND tasks.priority = levels.priority AND run_at <= ?2)
                + (SELECT count(*) FROM tasks
                    WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                      AND processor = me.processor AND concurrency_key IS me.concurrency_key
                      AND priority = me.priority AND (run_at, seq) < (me.run_at, me.seq))
                  AS "ahead!: i64"
             FROM tasks AS me WHERE me.id = ?1"#,
        id,
        now
    )
    .fetch_optional(conn)
    .await?;
    Ok(ahead.unwrap_or(0))
}
