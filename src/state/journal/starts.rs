//! The SQL that reads recent starts from the journal. At startup they fill `dispatch/recent_starts`, which the rate
//! limits count.

use sqlx::SqliteConnection;

use crate::models::{TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Journal rows to read at once.
const PAGE: i64 = 5000;
/// Maximum number of starts read from the journal.
const MAX_STARTS: usize = 200_000;

/// A start of an attempt.
pub(crate) struct RecordedStart {
    task_id: TaskId,
    pub(crate) processor: String,
    pub(crate) key: Option<String>,
    pub(crate) at: Timestamp,
}

/// Returns the starts after `since`, oldest first.
///
/// The table `starts` has every start that had a rate limit, even if its task was deleted. The journal adds the
/// others as far as it reaches, for a rate limit that was added later or whose period became longer.
pub(crate) async fn starts_since(
    conn: &mut SqliteConnection,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<RecordedStart>, Error> {
    let mut starts = kept_starts(conn, since).await?;
    starts.extend(journal_starts(conn, since).await?);
    for start in &mut starts {
        // The clock was set back since. A start in the future counts as one of this moment.
        start.at = start.at.min(now);
    }
    // The table and the journal may name the same start.
    starts.sort_by_key(|start| (start.at, start.task_id));
    starts.dedup_by_key(|start| (start.at, start.task_id));
    Ok(starts)
}

async fn kept_starts(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<RecordedStart>, Error> {
    let since = since.to_string();
    let rows = sqlx::query!(
        r#"SELECT task_id AS "task_id!: Text", at AS "at!: Text",
                  processor AS "processor!: Text", concurrency_key AS "key: Text"
             FROM starts WHERE at >= ?1"#,
        since
    )
    .fetch_all(conn)
    .await?;
    let starts = rows.into_iter().filter_map(|row| {
        Some(RecordedStart {
            task_id: row.task_id.parse_id().ok()?,
            processor: row.processor.into(),
            key: row.key.map(String::from),
            at: row.at.time_or_now(),
        })
    });
    Ok(starts.collect())
}

/// Reads the journal backwards, page by page, until a page ends before `since`: the journal has no index by time.
/// Returns the last starts if there are more than [`MAX_STARTS`].
async fn journal_starts(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<RecordedStart>, Error> {
    let since = since.to_string();
    let mut starts = Vec::new();
    let mut before = i64::MAX;
    loop {
        let rows = sqlx::query!(
            r#"SELECT logs.id AS "id!", logs.type AS "kind!: Text", logs.at AS "at!: Text",
                      logs.task_id AS "task_id: Text",
                      tasks.processor AS "processor: Text", tasks.concurrency_key AS "key: Text"
                 FROM logs LEFT JOIN tasks
                   ON logs.type = 'TASK_STARTED' AND tasks.id = logs.task_id
                WHERE logs.id < ?1 ORDER BY logs.id DESC LIMIT ?2"#,
            before,
            PAGE
        )
        .fetch_all(&mut *conn)
        .await?;
        let is_last = rows.last().is_none_or(|row| *row.at < *since);
        before = rows.last().map_or(0, |row| row.id);
        starts.extend(rows.into_iter().filter_map(|row| {
            let is_recent = *row.kind == *"TASK_STARTED" && *row.at >= *since;
            Some(RecordedStart {
                task_id: row.task_id?.parse_id().ok()?,
                processor: row.processor.filter(|_| is_recent)?.into(),
                key: row.key.map(String::from),
                at: row.at.time_or_now(),
            })
        }));
        if is_last || starts.len() >= MAX_STARTS {
            return Ok(starts);
        }
    }
}
