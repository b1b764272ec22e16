//! What is looked up before a submission is written: whether it was made before, whether its unique key
//! is free, and how its upstream tasks stand.
//!
//! Submissions of one batch are checked as if they had come one after the other. Only the few that
//! ask for any of this cost a query.

use std::collections::{HashMap, HashSet};

use sqlx::SqliteConnection;

use crate::models::{TaskId, TaskStatus};
use crate::state::error::Error;
use crate::state::query::lookups;
use crate::state::query::lookups::StoredReply;
use crate::state::writer::batch::{Accepted, Submission, WriteBatch};
use crate::state::writer::core::Core;

/// What the database knows about a batch.
#[derive(Default)]
struct Lookups {
    /// Earlier answers by their idempotency keys.
    replies: HashMap<String, StoredReply>,
    /// Open tasks by their unique keys.
    holders: HashMap<String, TaskId>,
    /// Statuses of the upstream tasks.
    statuses: HashMap<TaskId, TaskStatus>,
}

impl Core {
    /// Answers the submissions that are not to be written, and takes them out.
    pub(crate) async fn check_preconditions(&mut self, batch: &mut WriteBatch) {
        let asks = |submission: &Submission| {
            let task = &submission.task;
            submission.idempotency_key.is_some()
                || task.unique_key.is_some()
                || !task.after.is_empty()
        };
        if !batch.submissions.iter().any(asks) {
            return;
        }
        let lookups = match Lookups::read(&mut self.db.conn, &batch.submissions).await {
            Ok(lookups) => lookups,
            Err(error) => {
                let submissions = std::mem::take(&mut batch.submissions);
                let batch = WriteBatch {
                    submissions,
                    reports: Vec::new(),
                };
                return self.fail(batch, &error);
            }
        };
        let mut unique = HashSet::new();
        let mut keys = HashSet::new();
        for mut submission in std::mem::take(&mut batch.submissions) {
            // The second of two alike waits for the next turn, when the first is stored.
            let is_second = submission
                .idempotency_key
                .as_ref()
                .is_some_and(|it| !keys.insert(it.key.clone()))
                || (submission.task.unique_key.as_ref()).is_some_and(|key| unique.contains(key));
            if is_second {
                self.held.submissions.push(submission);
                continue;
            }
            match lookups.check(&mut submission) {
                Ok(None) => {
                    self.failed_upstream.extend(lookups.failed(&submission));
                    unique.extend(submission.task.unique_key.clone());
                    batch.submissions.push(submission);
                }
                // What the answer says may have been committed just now.
                Ok(Some(accepted)) => self.answer_submission(submission, Ok(accepted)),
                Err(error) => self.answer_submission(submission, Err(error)),
            }
        }
    }

    fn answer_submission(&self, submission: Submission, answer: Result<Accepted, Error>) {
        let after_sync = &self.outbox.after_sync;
        after_sync.deliver(move || submission.answer(answer));
    }

    /// Checks tasks that are stored together or not at all. Returns the stored answer if there is one already.
    pub(crate) async fn check_together(
        &mut self,
        submissions: &mut [Submission],
    ) -> Result<Option<Vec<TaskId>>, Error> {
        let lookups = Lookups::read(&mut self.db.conn, submissions).await?;
        if let Some(key) = &submissions[0].idempotency_key
            && let Some(reply) = lookups.replies.get(&key.key)
        {
            return reply
                .to(&key.body)
                .map(|reply| Some(reply.task_ids.clone()));
        }
        let mut unique = HashSet::new();
        for (index, submission) in submissions.iter_mut().enumerate() {
            if let Some(key) = submission.task.unique_key.clone()
                && !unique.insert(key.clone())
            {
                return Err(Error::TwiceInBatch { index, key });
            }
            lookups
                .check(submission)
                .map_err(|error| error.of_task(index))?;
        }
        let failed = submissions.iter().flat_map(|it| lookups.failed(it));
        self.failed_upstream.extend(failed);
        Ok(None)
    }
}

impl Lookups {
    /// Looks up what these submissions ask for; nothing if they ask for nothing.
    async fn read(conn: &mut SqliteConnection, submissions: &[Submission]) -> Result<Self, Error> {
        let mut lookups = Self::default();
        let keys: Vec<_> = submissions
            .iter()
            .filter_map(|it| it.idempotency_key.as_ref().map(|key| &key.key))
            .collect();
        if !keys.is_empty() {
            lookups.replies = lookups::stored_replies(conn, &serde_json::to_string(&keys)?).await?;
        }
        let keys: Vec<_> = submissions
            .iter()
            .filter_map(|it| it.task.unique_key.as_ref())
            .collect();
        if !keys.is_empty() {
            lookups.holders =
                lookups::unique_key_holders(conn, &serde_json::to_string(&keys)?).await?;
        }
        let ids: HashSet<_> = submissions.iter().flat_map(|it| &it.task.after).collect();
        if !ids.is_empty() {
            lookups.statuses = lookups::statuses(conn, &serde_json::to_string(&ids)?).await?;
        }
        Ok(lookups)
    }

    /// Returns the stored answer if there is one; otherwise notes in the submission what blocks it.
    ///
    /// # Errors
    /// When the submission must not be written.
    fn check(&self, submission: &mut Submission) -> Result<Option<Accepted>, Error> {
        if let Some(key) = &submission.idempotency_key
            && let Some(reply) = self.replies.get(&key.key)
        {
            let reply = reply.to(&key.body)?;
            let task_id = *reply.task_ids.first().ok_or(Error::KeyReused)?;
            return Ok(Some(Accepted {
                task_id,
                created_at: reply.created_at,
            }));
        }
        let task = &submission.task;
        if let Some(task_id) = task
            .unique_key
            .as_ref()
            .and_then(|key| self.holders.get(key))
        {
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

    /// The upstream tasks of a submission that have FAILED.
    fn failed<'a>(&'a self, submission: &'a Submission) -> impl Iterator<Item = TaskId> + 'a {
        let has_failed = |id: &&TaskId| self.statuses.get(id) == Some(&TaskStatus::Failed);
        submission.blockers.iter().filter(has_failed).copied()
    }
}

impl Submission {
    pub(crate) fn answer(self, answer: Result<Accepted, Error>) {
        drop(self.reservation);
        if let Some(reply) = self.reply {
            // A client that is gone does not want the answer.
            let _ = reply.send(answer);
        }
    }
}
