//! What is looked up before a submission is written: whether it was made before, whether its unique key
//! is free, and how its upstream tasks stand.
//!
//! Submissions of one batch are told apart as if they had come one after the other. Only the few that
//! ask for any of this cost a query.

use std::collections::{HashMap, HashSet};

use serde::de::DeserializeOwned;
use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::writer::batch::{Accepted, Batch, IdempotencyKey, Submission};
use crate::state::writer::commit::arrays::hex;
use crate::state::writer::run::Writer;

/// An answer that was given before.
struct Given {
    body: String,
    task_ids: Vec<TaskId>,
    created_at: Timestamp,
}

/// What the database knows about a batch.
#[derive(Default)]
struct Known {
    given: HashMap<String, Given>,
    /// Open tasks by their unique keys.
    taken: HashMap<String, TaskId>,
    statuses: HashMap<TaskId, TaskStatus>,
}

impl Writer {
    /// Answers the submissions that are not to be written, and takes them out.
    pub(crate) async fn admit(&mut self, batch: &mut Batch) -> Result<(), Error> {
        let asks = |submission: &Submission| {
            let task = &submission.task;
            submission.once.is_some() || task.unique_key.is_some() || !task.after.is_empty()
        };
        if !batch.submissions.iter().any(asks) {
            return Ok(());
        }
        let known = match self.known(&batch.submissions).await {
            Ok(known) => known,
            Err(error) => {
                let submissions = std::mem::take(&mut batch.submissions);
                return self.fail(
                    Batch {
                        submissions,
                        reports: Vec::new(),
                    },
                    error,
                );
            }
        };
        let mut unique = HashSet::new();
        let mut once = HashSet::new();
        for mut submission in std::mem::take(&mut batch.submissions) {
            // The second of two alike waits for the next turn, when the first is stored.
            let is_second = submission
                .once
                .as_ref()
                .is_some_and(|it| !once.insert(it.key.clone()))
                || (submission.task.unique_key.as_ref()).is_some_and(|key| unique.contains(key));
            if is_second {
                self.deferred.push(submission);
                continue;
            }
            match known.judge(&mut submission) {
                Ok(None) => {
                    self.failed_upstream.extend(known.failed(&submission));
                    unique.extend(submission.task.unique_key.clone());
                    batch.submissions.push(submission);
                }
                Ok(Some(accepted)) => submission.answer(Ok(accepted)),
                Err(error) => submission.answer(Err(error)),
            }
        }
        Ok(())
    }

    /// Admits tasks that stand or fall together: the answer to all of them, if there is one already.
    pub(crate) async fn admit_all(
        &mut self,
        submissions: &mut [Submission],
    ) -> Result<Option<Vec<TaskId>>, Error> {
        let known = self.known(submissions).await?;
        if let Some(once) = &submissions[0].once
            && let Some(given) = known.given.get(&once.key)
        {
            return given
                .to(&once.body)
                .map(|given| Some(given.task_ids.clone()));
        }
        let mut unique = HashSet::new();
        for (index, submission) in submissions.iter_mut().enumerate() {
            if let Some(key) = submission.task.unique_key.clone()
                && !unique.insert(key.clone())
            {
                return Err(Error::TwiceInBatch { index, key });
            }
            known
                .judge(submission)
                .map_err(|error| error.of_task(index))?;
        }
        let failed = submissions.iter().flat_map(|it| known.failed(it));
        self.failed_upstream.extend(failed);
        Ok(None)
    }

    async fn known(&mut self, submissions: &[Submission]) -> Result<Known, Error> {
        let conn = &mut self.conn;
        let mut known = Known::default();
        let keys: Vec<_> = submissions
            .iter()
            .filter_map(|it| it.once.as_ref().map(|once| &once.key))
            .collect();
        if !keys.is_empty() {
            known.given = given(conn, &serde_json::to_string(&keys)?).await?;
        }
        let keys: Vec<_> = submissions
            .iter()
            .filter_map(|it| it.task.unique_key.as_ref())
            .collect();
        if !keys.is_empty() {
            known.taken = taken(conn, &serde_json::to_string(&keys)?).await?;
        }
        let ids: HashSet<_> = submissions.iter().flat_map(|it| &it.task.after).collect();
        if !ids.is_empty() {
            known.statuses = statuses(conn, &serde_json::to_string(&ids)?).await?;
        }
        Ok(known)
    }
}

impl Known {
    /// What to answer, if the submission is not to be written.
    fn judge(&self, submission: &mut Submission) -> Result<Option<Accepted>, Error> {
        if let Some(once) = &submission.once
            && let Some(given) = self.given.get(&once.key)
        {
            let given = given.to(&once.body)?;
            let task_id = *given.task_ids.first().ok_or(Error::KeyReused)?;
            return Ok(Some(Accepted {
                task_id,
                created_at: given.created_at,
            }));
        }
        let task = &submission.task;
        if let Some(task_id) = task.unique_key.as_ref().and_then(|key| self.taken.get(key)) {
            return Err(Error::Taken { task_id: *task_id });
        }
        let mut blockers = Vec::new();
        for id in &task.after {
            match self.statuses.get(id) {
                None => return Err(Error::NoUpstream { task_id: *id }),
                Some(TaskStatus::Completed) => {}
                Some(_) if blockers.contains(id) => {}
                Some(_) => blockers.push(*id),
            }
        }
        submission.blockers = blockers;
        Ok(None)
    }
}

impl Known {
    /// The tasks that a submission waits for in vain.
    fn failed<'a>(&'a self, submission: &'a Submission) -> impl Iterator<Item = TaskId> + 'a {
        let has_failed = |id: &&TaskId| self.statuses.get(id) == Some(&TaskStatus::Failed);
        submission.blockers.iter().filter(has_failed).copied()
    }
}

impl Given {
    /// The answer, if it was given to the same request.
    fn to(&self, body: &[u8]) -> Result<&Self, Error> {
        if self.body == hex(body) {
            Ok(self)
        } else {
            Err(Error::KeyReused)
        }
    }
}

impl Submission {
    pub(crate) fn answer(self, answer: Result<Accepted, Error>) {
        drop(self.room);
        if let Some(reply) = self.reply {
            // Who has gone away does not want the answer.
            let _ = reply.send(answer);
        }
    }
}

/// The tasks of the first request with this key, if there was one.
pub(crate) async fn given_to(
    conn: &mut SqliteConnection,
    once: &IdempotencyKey,
) -> Result<Option<Vec<TaskId>>, Error> {
    let given = given(conn, &serde_json::to_string(&[&once.key])?).await?;
    let given = given.get(&once.key).map(|given| given.to(&once.body));
    Ok(given.transpose()?.map(|given| given.task_ids.clone()))
}

async fn given(conn: &mut SqliteConnection, keys: &str) -> Result<HashMap<String, Given>, Error> {
    let rows = sqlx::query!(
        r#"SELECT key AS "key!: Text", hex(body) AS "body!: Text", task_ids AS "task_ids!: Text",
                  created_at AS "created_at!: Text"
             FROM idempotency WHERE key IN (SELECT value FROM jsonb_each(?1))"#,
        keys
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let given = Given {
                body: row.body.into(),
                task_ids: json(&row.task_ids)?,
                created_at: row.created_at.time_or_now(),
            };
            Ok((row.key.into(), given))
        })
        .collect()
}

/// The open tasks that have one of these unique keys.
pub(crate) async fn taken(
    conn: &mut SqliteConnection,
    keys: &str,
) -> Result<HashMap<String, TaskId>, Error> {
    let rows = sqlx::query!(
        r#"SELECT unique_key AS "key!: Text", id AS "id!: Text" FROM tasks
            WHERE unique_key IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NULL"#,
        keys
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| Ok((row.key.into(), row.id.parse_id()?)))
        .collect()
}

/// The statuses of those of these tasks that exist.
pub(crate) async fn statuses(
    conn: &mut SqliteConnection,
    ids: &str,
) -> Result<HashMap<TaskId, TaskStatus>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id!: Text", status AS "status!: Text" FROM tasks
            WHERE id IN (SELECT value FROM jsonb_each(?1))"#,
        ids
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let status = row.status.parse();
            let status = status.map_err(|_| Error::BadRow("tasks.status".to_owned()))?;
            Ok((row.id.parse_id()?, status))
        })
        .collect()
}

fn json<T: DeserializeOwned>(text: &str) -> Result<T, Error> {
    Ok(serde_json::from_str(text)?)
}
