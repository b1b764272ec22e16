//! Retry by hand: a task that has FAILED waits again, with all its attempts before it.

use sqlx::SqliteConnection;

use super::Error;
use super::announce::Committed;
use super::attempts::Waiting;
use super::journal::Row;
use super::orders::journal;
use super::request::Retried;
use super::text::Text;
use super::transaction::{begin, end};
use super::writer::Writer;
use crate::models::{TaskId, TaskStatus, Timestamp};

/// A task that waits again.
struct Revived {
    attempt: i64,
    waiting: Waiting,
    /// Upstream tasks that have not COMPLETED.
    upstream: Vec<TaskId>,
}

impl Writer {
    pub(super) async fn retry(&mut self, task: TaskId) -> Result<Retried, Error> {
        let id = task.hyphenated().to_string();
        match self.status_of(&id).await? {
            None => return Ok(Retried::Missing),
            Some(TaskStatus::Failed) => {}
            Some(_) => return Ok(Retried::NotFailed),
        }
        let time = Timestamp::now();
        let now = time.to_string();
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = async {
            let revived = revive(conn, &id, &now).await?;
            let because = match revived.attempt {
                0 => "did not begin and was retried by hand",
                _ => "failed and was retried by hand",
            };
            let row = Row::retrying(task, revived.attempt, because, None, None, &now);
            let committed: Committed = journal(conn, vec![row], time).await?;
            Ok((revived, committed))
        };
        let written = written.await;
        let (revived, committed) = end(&mut self.conn, written).await.map_err(taken)?;
        if revived.upstream.is_empty() {
            let waiting = &revived.waiting;
            self.ledger.lanes.add(waiting.lane(), waiting.place(), time);
        } else {
            self.ledger.blocked += 1;
            self.ledger.upstream.extend(&revived.upstream);
        }
        self.more_to_claim = true;
        self.publish(committed).await;
        Ok(Retried::Done)
    }

    async fn status_of(&mut self, id: &str) -> Result<Option<TaskStatus>, Error> {
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

/// Another task may have taken the unique key meanwhile.
pub(super) fn taken(error: Error) -> Error {
    match error {
        Error::Refused(why) if why.contains("tasks.unique_key") => {
            Error::Conflict("another task that is not finished has its unique_key".to_owned())
        }
        other => other,
    }
}

/// Makes the row wait again. It waits for upstream tasks that have failed too: they can be retried.
async fn revive(conn: &mut SqliteConnection, id: &str, now: &str) -> Result<Revived, Error> {
    sqlx::query!(
        "INSERT OR IGNORE INTO links (upstream, downstream)
         SELECT up.id, down.id
           FROM tasks AS down CROSS JOIN json_each(down.upstream) AS named
           CROSS JOIN tasks AS up ON up.id = named.value
          WHERE down.id = ?1 AND up.status <> 'COMPLETED'",
        id
    )
    .execute(&mut *conn)
    .await?;
    let upstream = sqlx::query_scalar!(
        r#"SELECT upstream AS "id!: Text" FROM links WHERE downstream = ?1"#,
        id
    )
    .fetch_all(&mut *conn)
    .await?;
    let upstream: Vec<_> = (upstream.iter().map(Text::parse_id)).collect::<Result<_, _>>()?;
    let blocked = upstream.len() as i64;
    let row = sqlx::query!(
        r#"UPDATE tasks
              SET status = 'PENDING', failure = NULL, finished_at = NULL, started_at = NULL,
                  result = NULL, progress = NULL, run_at = ?2, uncounted = attempt, crashes = 0,
                  blocked = ?3
            WHERE id = ?1 AND status = 'FAILED'
        RETURNING seq AS "seq!", attempt AS "attempt!", processor AS "processor!: Text",
                  concurrency_key AS "key: Text", priority AS "priority!",
                  run_at AS "run_at!: Text""#,
        id,
        now,
        blocked
    )
    .fetch_one(conn)
    .await?;
    Ok(Revived {
        attempt: row.attempt,
        waiting: Waiting {
            seq: row.seq,
            processor: row.processor.into(),
            concurrency_key: row.key.map(String::from),
            priority: row.priority,
            run_at: row.run_at.time_or_now(),
        },
        upstream,
    })
}
