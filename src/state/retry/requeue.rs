//! The SQL of a retry by hand: FAILED tasks become PENDING again, with all their attempts before them. A task that
//! never began keeps the time that it was given, if that lies ahead.

use std::collections::{HashMap, HashSet};
use std::fmt;

use sqlx::SqliteConnection;

use crate::models::{TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::query::list;
use crate::state::query::list::FoundTask;
use crate::state::retry::sql::Waiting;

/// A task that is PENDING again.
pub(crate) struct Requeued {
    id: TaskId,
    attempt: i64,
    pub(crate) waiting: Waiting,
    /// Upstream tasks that have not COMPLETED.
    pub(crate) upstream: Vec<TaskId>,
}

/// When a task starts that is retried by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryAt {
    /// As soon as it may, but for a task that never began: not before its `run_at`.
    AsGiven,
    /// As soon as it may.
    Now,
}

/// An upstream task that would make a retried task fail again at once.
pub(crate) struct BlockedBy {
    task: TaskId,
    upstream: TaskId,
    is_there: bool,
}

impl fmt::Display for BlockedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let upstream = self.upstream;
        match self.is_there {
            true => write!(
                f,
                "its upstream task {upstream} is FAILED; retry that one first"
            ),
            false => write!(
                f,
                "its upstream task {upstream} has been deleted, and so its result is missing; submit the task again"
            ),
        }
    }
}

/// The upstream tasks that would make these tasks fail again at once: they have FAILED or are deleted.
pub(crate) async fn blocked_by(
    conn: &mut SqliteConnection,
    tasks: &[TaskId],
) -> Result<Vec<BlockedBy>, Error> {
    let ids = serde_json::to_string(tasks)?;
    let rows = sqlx::query!(
        r#"SELECT down.id AS "task!: Text", CAST(named.value AS TEXT) AS "upstream!: Text",
                  up.id IS NOT NULL AS "is_there!: bool"
             FROM jsonb_each(?1) AS chosen CROSS JOIN tasks AS down ON down.id = chosen.value
            CROSS JOIN json_each(
                CASE WHEN json_valid(down.upstream) THEN down.upstream ELSE '[]' END) AS named
             LEFT JOIN tasks AS up ON up.id = named.value
            WHERE up.status = 'FAILED' OR up.id IS NULL"#,
        ids
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(BlockedBy {
                task: row.task.parse_id()?,
                upstream: row.upstream.parse_id()?,
                is_there: row.is_there,
            })
        })
        .collect()
}

/// Those of these tasks whose failed upstream tasks, if any, are retried with them.
pub(crate) async fn unblocked(
    conn: &mut SqliteConnection,
    tasks: Vec<TaskId>,
) -> Result<Vec<TaskId>, Error> {
    let blocked = blocked_by(conn, &tasks).await?;
    let mut free: HashSet<_> = tasks.iter().copied().collect();
    loop {
        let before = free.len();
        for one in &blocked {
            if !free.contains(&one.upstream) {
                free.remove(&one.task);
            }
        }
        if free.len() == before {
            return Ok(tasks.into_iter().filter(|id| free.contains(id)).collect());
        }
    }
}

/// The found tasks that are still FAILED and unchanged; at most one per `unique_key`, and none whose key an open
/// task holds.
pub(crate) async fn retriable(
    conn: &mut SqliteConnection,
    found: &[FoundTask],
) -> Result<Vec<TaskId>, Error> {
    let rows = list::seqs_and_ends(found)?;
    let rows = sqlx::query!(
        r#"SELECT tasks.id AS "id!: Text", tasks.unique_key AS "unique_key: Text"
             FROM jsonb_each(?1) AS found CROSS JOIN tasks ON tasks.seq = found.value ->> 0
            WHERE tasks.finished_at = found.value ->> 1 AND +tasks.status = 'FAILED'
              AND NOT EXISTS (SELECT 1 FROM tasks AS other
                               WHERE other.unique_key = tasks.unique_key
                                 AND other.finished_at IS NULL)"#,
        rows
    )
    .fetch_all(conn)
    .await?;
    let mut keys = HashSet::new();
    Ok(rows
        .into_iter()
        .filter(|row| {
            row.unique_key
                .as_deref()
                .is_none_or(|key| keys.insert(key.to_owned()))
        })
        .filter_map(|row| row.id.parse_id().ok())
        .collect())
}

/// Makes FAILED tasks PENDING again, inside the caller's transaction, and returns the journal entries with them.
pub(crate) async fn requeue_failed(
    conn: &mut SqliteConnection,
    tasks: &[TaskId],
    at: RetryAt,
    time: Timestamp,
    actor: Option<&str>,
) -> Result<(Vec<Requeued>, Vec<JournalEntry>), Error> {
    let now = time.to_string();
    let ids = serde_json::to_string(tasks)?;
    let mut upstream = link_with_upstream(conn, &ids).await?;
    let mut requeued = make_pending(conn, &ids, at, &now).await?;
    for task in &mut requeued {
        task.upstream = upstream.remove(&task.id).unwrap_or_default();
    }
    let entries = requeued.iter().map(|task| {
        JournalEntry::retried_by_hand(task.id, task.attempt, task.waiting.run_at, time).by(actor)
    });
    let entries = entries.collect();
    Ok((requeued, entries))
}

/// Inserts the edges between these tasks (a JSON list of ids) and their upstream tasks that have not COMPLETED, and
/// returns those of each.
async fn link_with_upstream(
    conn: &mut SqliteConnection,
    ids: &str,
) -> Result<HashMap<TaskId, Vec<TaskId>>, Error> {
    sqlx::query!(
        "INSERT OR IGNORE INTO links (upstream, downstream)
         SELECT up.id, down.id
           FROM jsonb_each(?1) AS chosen CROSS JOIN tasks AS down ON down.id = chosen.value
           CROSS JOIN json_each(
                CASE WHEN json_valid(down.upstream) THEN down.upstream ELSE '[]' END) AS named
           CROSS JOIN tasks AS up ON up.id = named.value
          WHERE up.status <> 'COMPLETED'",
        ids
    )
    .execute(&mut *conn)
    .await?;
    let links = sqlx::query!(
        r#"SELECT links.downstream AS "downstream!: Text", links.upstream AS "upstream!: Text"
             FROM jsonb_each(?1) AS chosen CROSS JOIN links ON links.downstream = chosen.value"#,
        ids
    )
    .fetch_all(conn)
    .await?;
    let mut upstream: HashMap<_, Vec<_>> = HashMap::new();
    for link in links {
        let downstream = link.downstream.parse_id()?;
        upstream
            .entry(downstream)
            .or_default()
            .push(link.upstream.parse_id()?);
    }
    Ok(upstream)
}

/// Updates the rows of these tasks (a JSON list of ids). The returned ones have no upstream tasks yet.
async fn make_pending(
    conn: &mut SqliteConnection,
    ids: &str,
    at: RetryAt,
    now: &str,
) -> Result<Vec<Requeued>, Error> {
    let keeps = at == RetryAt::AsGiven;
    let rows = sqlx::query!(
        r#"UPDATE tasks
              SET status = 'PENDING', failure = NULL, finished_at = NULL, started_at = NULL,
                  result = NULL, progress = NULL,
                  run_at = iif(?3 AND attempt = 0 AND run_at > created_at, max(run_at, ?2), ?2),
                  uncounted = attempt, crashes = 0,
                  blocked = (SELECT count(*) FROM links WHERE downstream = tasks.id)
            WHERE id IN (SELECT value FROM jsonb_each(?1)) AND +status = 'FAILED'
        RETURNING id AS "id!: Text", seq AS "seq!", attempt AS "attempt!",
                  processor AS "processor!: Text", concurrency_key AS "key: Text",
                  priority AS "priority!", run_at AS "run_at!: Text""#,
        ids,
        now,
        keeps
    )
    .fetch_all(conn)
    .await?;
    let requeued = rows.into_iter().map(|row| {
        Ok(Requeued {
            id: row.id.parse_id()?,
            attempt: row.attempt,
            waiting: Waiting {
                seq: row.seq,
                processor: row.processor.into(),
                concurrency_key: row.key.map(String::from),
                priority: row.priority,
                run_at: row.run_at.time_or_now(),
            },
            upstream: Vec::new(),
        })
    });
    requeued.collect()
}
