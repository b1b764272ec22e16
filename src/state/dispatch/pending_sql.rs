//! The SQL that looks at waiting tasks: who is next in a lane, how many wait.
//!
//! The index `tasks_open` holds each lane in its order, but "due" cuts across the priorities: a million
//! tasks that are not due may stand before the one that is. So a lane is read by its priorities, each
//! found by one seek past all tasks of the last, and each asked for what is due in it.

use sqlx::{SqliteConnection, SqliteExecutor};

use crate::models::{Attempt, TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::dispatch::due_since::DueKey;
use crate::state::dispatch::lanes::head::{LaneHead, Place};
use crate::state::dispatch::lanes::{LaneName, Lanes};
use crate::state::error::Error;

/// A waiting task, as far as the choice of what starts next needs it.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The attempt that would be started.
    pub(crate) attempt: Attempt,
    pub(crate) place: Place,
    pub(crate) processor: String,
    pub(crate) key: Option<String>,
    pub(crate) bytes: usize,
}

impl Candidate {
    pub(crate) fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.processor,
            key: self.key.as_deref(),
        }
    }
}

/// The first tasks of a lane that may start at `now`, in their order.
pub(crate) async fn next_due_tasks(
    conn: &mut SqliteConnection,
    lane: LaneName<'_>,
    now: &str,
    limit: i64,
) -> Result<Vec<Candidate>, Error> {
    let rows = sqlx::query_as!(
        Row,
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
    Ok(rows.into_iter().filter_map(Row::into_candidate).collect())
}

/// When the next task of a lane is due that comes before those of this priority.
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

/// These waiting tasks (a list of row numbers).
pub(crate) async fn tasks_at(
    conn: &mut SqliteConnection,
    seqs: &[i64],
) -> Result<Vec<Candidate>, Error> {
    let seqs = serde_json::to_string(seqs)?;
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                  priority AS "priority!", run_at AS "run_at!: Text",
                  octet_length(content) AS "bytes!: i64", processor AS "processor!: Text",
                  concurrency_key AS "key: Text"
             FROM tasks WHERE seq IN (SELECT value FROM jsonb_each(?1)) AND +status = 'PENDING'"#,
        seqs
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(Row::into_candidate).collect())
}

struct Row {
    seq: i64,
    id: Text,
    attempt: i64,
    priority: i64,
    run_at: Text,
    bytes: i64,
    processor: Text,
    key: Option<Text>,
}

impl Row {
    /// One row that another program has spoilt must not hold up the others.
    fn into_candidate(self) -> Option<Candidate> {
        let task_id = self
            .id
            .parse_id()
            .inspect_err(|error| tracing::error!(%error, "a waiting task cannot be started"))
            .ok()?;
        Some(Candidate {
            attempt: Attempt {
                seq: self.seq,
                task_id,
                number: self.attempt + 1,
            },
            place: Place::new(self.priority, self.run_at.time_or_now(), self.seq),
            processor: self.processor.into(),
            key: self.key.map(String::from),
            bytes: usize::try_from(self.bytes).unwrap_or(0),
        })
    }
}

/// A lane's name as it travels: processor, key.
pub(crate) type OwnedLane = (String, Option<String>);

/// The fronts of these lanes, in their order.
pub(crate) async fn fronts(
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
    let fronts = rows.into_iter().map(|row| LaneHead::Known {
        due: row.due.as_deref().and_then(place),
        next: row.next.map(|time| time.time_or_now()),
    });
    Ok(fronts.collect())
}

/// `[priority, run_at, seq]`
fn place(json: &str) -> Option<Place> {
    let (priority, run_at, seq): (i64, String, i64) = serde_json::from_str(json).ok()?;
    let run_at = run_at.parse().unwrap_or_else(|_| Timestamp::now());
    Some(Place::new(priority, run_at, seq))
}

/// How many tasks wait: in each lane, with its front, and for other tasks.
pub(crate) async fn count_waiting(
    conn: impl SqliteExecutor<'_>,
    now: Timestamp,
) -> Result<(Lanes, u64), Error> {
    let now = now.to_string();
    // A task's place as text that sorts as places do: all times are of one length.
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
        let due = row.due.as_deref().map(counted_place);
        let front = match due {
            Some(None) => LaneHead::Unknown,
            due => LaneHead::Known {
                due: due.flatten(),
                next: row.next.map(|time| time.time_or_now()),
            },
        };
        lanes.add_counted(lane, count, row.urgency, front);
    }
    Ok((lanes, blocked))
}

/// A place as [`count_waiting`] has it: three digits, a time, nineteen digits.
fn counted_place(text: &str) -> Option<Place> {
    let (priority, rest) = text.split_at_checked(3)?;
    let (run_at, seq) = rest.split_at_checked(rest.len().checked_sub(19)?)?;
    let priority: i64 = priority.parse().ok()?;
    Some(Place::new(
        100 - priority,
        run_at.parse().ok()?,
        seq.parse().ok()?,
    ))
}

/// Of each processor the tasks among which the one is that has been due longest: the earliest of each key and
/// priority, found by one seek each, and of very many keys only some.
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

/// How many tasks of its lane start before a waiting task: those that are due and come first. Those that
/// are not due are passed over, priority by priority.
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
