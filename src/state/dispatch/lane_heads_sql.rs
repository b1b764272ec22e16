//! The SQL that reads the heads of lanes, of some lanes or of all while it counts them.
//!
//! The index `tasks_open` holds each lane in its order, but being due cuts across the priorities: a million
//! tasks that are not due may precede one that is. So these queries walk a lane by its priorities. One seek
//! finds each next priority, and another finds what is due in it.

use sqlx::{SqliteConnection, SqliteExecutor};

use crate::models::Timestamp;
use crate::state::db::text::Text;
use crate::state::dispatch::lanes::Lanes;
use crate::state::dispatch::lanes::head::{LaneHead, LanePosition};
use crate::state::dispatch::lanes::lane_name::{LaneName, OwnedLane};
use crate::state::error::Error;

/// Returns the heads of these lanes, in the order of `lanes`.
pub(crate) async fn lane_heads(
    conn: &mut SqliteConnection,
    lanes: &[OwnedLane],
    now: &str,
) -> Result<Vec<LaneHead>, Error> {
    let lanes = serde_json::to_string(lanes)?;
    let rows = sqlx::query!(
        r#"SELECT (WITH RECURSIVE levels(priority) AS (
                       SELECT (SELECT priority FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = lane.value ->> 0
                                  AND concurrency_key IS lane.value ->> 1
                                ORDER BY priority DESC LIMIT 1)
                       UNION ALL
                       SELECT (SELECT priority FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = lane.value ->> 0
                                  AND concurrency_key IS lane.value ->> 1
                                  AND priority < levels.priority
                                ORDER BY priority DESC LIMIT 1)
                         FROM levels WHERE levels.priority IS NOT NULL)
                   SELECT json_array(tasks.priority, run_at, seq)
                     FROM levels CROSS JOIN tasks
                    WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                      AND processor = lane.value ->> 0 AND concurrency_key IS lane.value ->> 1
                      AND tasks.priority = levels.priority AND run_at <= ?2
                    LIMIT 1) AS "due: Text",
                  (WITH RECURSIVE levels(priority) AS (
                       SELECT (SELECT priority FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = lane.value ->> 0
                                  AND concurrency_key IS lane.value ->> 1
                                ORDER BY priority DESC LIMIT 1)
                       UNION ALL
                       SELECT (SELECT priority FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = lane.value ->> 0
                                  AND concurrency_key IS lane.value ->> 1
                                  AND priority < levels.priority
                                ORDER BY priority DESC LIMIT 1)
                         FROM levels WHERE levels.priority IS NOT NULL)
                   SELECT min((SELECT run_at FROM tasks
                                WHERE finished_at IS NULL AND status = 'PENDING' AND blocked = 0
                                  AND processor = lane.value ->> 0
                                  AND concurrency_key IS lane.value ->> 1
                                  AND priority = levels.priority AND run_at > ?2
                                ORDER BY run_at LIMIT 1))
                     FROM levels) AS "next: Text"
             FROM jsonb_each(?1) AS lane"#,
        lanes,
        now
    )
    .fetch_all(conn)
    .await?;
    let heads = rows.into_iter().map(|row| LaneHead::Known {
        due: row.due.as_deref().and_then(parse_position),
        next: row.next.map(|time| time.time_or_now()),
    });
    Ok(heads.collect())
}

/// Parses `[priority, run_at, seq]`.
fn parse_position(json: &str) -> Option<LanePosition> {
    let (priority, run_at, seq): (i64, String, i64) = serde_json::from_str(json).ok()?;
    let run_at = run_at.parse().unwrap_or_else(|_| Timestamp::now());
    Some(LanePosition::new(priority, run_at, seq))
}

/// Counts the pending tasks. Returns every lane with its head, and the number of blocked tasks.
pub(crate) async fn count_pending(
    conn: impl SqliteExecutor<'_>,
    now: Timestamp,
) -> Result<(Lanes, u64), Error> {
    let now = now.to_string();
    // `due` is a position as text that sorts as positions do, because all times have one length.
    let rows = sqlx::query!(
        r#"SELECT blocked > 0 AS "is_blocked!: bool", processor AS "processor!: Text",
                  concurrency_key AS "key: Text", count(*) AS "count!: i64",
                  max(priority) AS "urgency!: i64",
                  min(CASE WHEN run_at <= ?1
                      THEN printf('%03d%s%019d', 100 - priority, run_at, seq) END) AS "due: Text",
                  min(CASE WHEN run_at > ?1 THEN run_at END) AS "next: Text"
             FROM tasks
            WHERE finished_at IS NULL AND status = 'PENDING'
            GROUP BY blocked, processor, concurrency_key"#,
        now
    )
    .fetch_all(conn)
    .await?;
    let mut lanes = Lanes::default();
    let mut blocked = 0;
    for row in rows {
        let count = row.count as u64;
        if row.is_blocked {
            blocked += count;
            continue;
        }
        let lane = LaneName {
            processor: &row.processor,
            key: row.key.as_deref(),
        };
        let due = row.due.as_deref().map(parse_sortable);
        let head = match due {
            Some(None) => LaneHead::Unknown,
            due => LaneHead::Known {
                due: due.flatten(),
                next: row.next.map(|time| time.time_or_now()),
            },
        };
        lanes.add_counted(lane, count, row.urgency, head);
    }
    Ok((lanes, blocked))
}

/// Parses the position that [`count_pending`] selects: three digits, a time, nineteen digits.
fn parse_sortable(text: &str) -> Option<LanePosition> {
    let (priority, rest) = text.split_at_checked(3)?;
    let (run_at, seq) = rest.split_at_checked(rest.len().checked_sub(19)?)?;
    let priority: i64 = priority.parse().ok()?;
    Some(LanePosition::new(
        100 - priority,
        run_at.parse().ok()?,
        seq.parse().ok()?,
    ))
}
