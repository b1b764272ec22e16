//! Retry by hand: tasks that have FAILED wait again, with all their attempts before them. One that never
//! began keeps the time that it was given, if that lies ahead.

use std::collections::{HashMap, HashSet};
use std::fmt;

use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::state::commands::bulk;
use crate::state::commands::journal;
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::query::list::FoundTask;
use crate::state::retry::sql::Waiting;
use crate::state::writer::message::{Retried, RetryAt};
use crate::state::writer::publish::Committed;
use crate::state::writer::run::Writer;

/// A task that waits again.
struct Revived {
    id: TaskId,
    attempt: i64,
    waiting: Waiting,
    /// Upstream tasks that have not COMPLETED.
    upstream: Vec<TaskId>,
}

impl Writer {
    pub(crate) async fn retry(&mut self, task: TaskId, at: RetryAt) -> Result<Retried, Error> {
        match self.status_of(task).await? {
            None => return Ok(Retried::Missing),
            Some(TaskStatus::Failed) => {}
            Some(_) => return Ok(Retried::NotFailed),
        }
        if let Some(hindrance) = hindrances(&mut self.conn, &[task]).await?.pop() {
            return Err(Error::Conflict(hindrance.to_string()));
        }
        let time = Timestamp::now();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = revive(conn, &[task], at, time, self.by.as_deref()).await;
        let (revived, committed) = self.end(written).await?;
        self.count_revived(&revived, committed).await;
        let starts_at = revived.first().map(|task| task.waiting.run_at);
        Ok(Retried::Done {
            later: starts_at.filter(|run_at| *run_at > time),
        })
    }

    /// Retries those of these tasks that have failed as they were found; how many.
    pub(crate) async fn retry_found(
        &mut self,
        found: &[FoundTask],
        at: RetryAt,
    ) -> Result<u64, Error> {
        let time = Timestamp::now();
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            let tasks = bulk::retriable(conn, found).await?;
            let tasks = without_hindered(conn, tasks).await?;
            revive(conn, &tasks, at, time, self.by.as_deref()).await
        };
        let written = written.await;
        let (revived, committed) = self.end(written).await?;
        self.count_revived(&revived, committed).await;
        Ok(revived.len() as u64)
    }

    async fn count_revived(&mut self, revived: &[Revived], committed: Committed) {
        for task in revived {
            if task.upstream.is_empty() {
                let (lane, place) = (task.waiting.lane(), task.waiting.place());
                self.queue_state.lanes.add(lane, place, committed.time);
            } else {
                self.queue_state.blocked += 1;
                self.queue_state.awaited.extend(&task.upstream);
            }
        }
        self.more_to_claim = true;
        self.publish(committed).await;
    }

    pub(crate) async fn status_of(&mut self, task: TaskId) -> Result<Option<TaskStatus>, Error> {
        let id = task.hyphenated().to_string();
        let status = sqlx::query_scalar!(
            r#"SELECT status AS "status!: Text" FROM tasks WHERE id = ?1"#,
            id
        )
        .fetch_optional(&mut self.conn)
        .await?;
        status
            .map(|status| status.parse())
            .transpose()
            .map_err(|_| Error::BadRow("tasks.status".to_owned()))
    }
}

/// An upstream task in vain of a task that has failed.
struct BlockedBy {
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

/// What would let these tasks fail again at once: upstream tasks that have failed, or are not there any more.
async fn hindrances(
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

/// Those of these tasks that nothing hinders which is not among them itself.
async fn without_hindered(
    conn: &mut SqliteConnection,
    tasks: Vec<TaskId>,
) -> Result<Vec<TaskId>, Error> {
    let hindrances = hindrances(conn, &tasks).await?;
    let mut free: HashSet<_> = tasks.iter().copied().collect();
    loop {
        let before = free.len();
        for hindrance in &hindrances {
            if !free.contains(&hindrance.upstream) {
                free.remove(&hindrance.task);
            }
        }
        if free.len() == before {
            return Ok(tasks.into_iter().filter(|id| free.contains(id)).collect());
        }
    }
}

/// Makes failed tasks wait again and journals it, inside the caller's transaction.
async fn revive(
    conn: &mut SqliteConnection,
    tasks: &[TaskId],
    at: RetryAt,
    time: Timestamp,
    by: Option<&str>,
) -> Result<(Vec<Revived>, Committed), Error> {
    let now = time.to_string();
    let ids = serde_json::to_string(tasks)?;
    let mut upstream = wait_for_upstream(conn, &ids).await?;
    let mut revived = make_pending(conn, &ids, at, &now).await?;
    for task in &mut revived {
        task.upstream = upstream.remove(&task.id).unwrap_or_default();
    }
    let rows = revived.iter().map(|task| {
        JournalEntry::retried_by_hand(task.id, task.attempt, task.waiting.run_at, time).by(by)
    });
    let committed = journal(conn, rows.collect(), time).await?;
    Ok((revived, committed))
}

/// Links these tasks (a JSON list of ids) with their upstream tasks that have not COMPLETED; those of
/// each.
async fn wait_for_upstream(
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

/// The tasks without their upstream ones.
async fn make_pending(
    conn: &mut SqliteConnection,
    ids: &str,
    at: RetryAt,
    now: &str,
) -> Result<Vec<Revived>, Error> {
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
    let revived = rows.into_iter().map(|row| {
        Ok(Revived {
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
    revived.collect()
}
