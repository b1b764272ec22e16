//! Submits many tasks in one transaction: all or none.

use crate::models::{IdempotencyKey, TaskId, Timestamp};
use crate::state::error::Error;
use crate::state::query::lookups;
use crate::state::writer::batch::{Submission, WriteBatch};
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Stores all of these tasks or none. The answer is their ids, in their order.
pub(crate) struct SubmitTogether(
    pub(crate) Vec<Submission>,
    pub(crate) Option<IdempotencyKey>,
);

impl WriterCommand for SubmitTogether {
    type Answer = Vec<TaskId>;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<Vec<TaskId>, Error> {
        core.submit_together(self.0, self.1).await
    }
}

impl Core {
    /// Writes all tasks or none. A repeat of the request that the idempotency key names gets the first answer.
    pub(crate) async fn submit_together(
        &mut self,
        mut submissions: Vec<Submission>,
        key: Option<IdempotencyKey>,
    ) -> Result<Vec<TaskId>, Error> {
        let Some(first) = submissions.first_mut() else {
            return self.submit_none(key).await;
        };
        first.idempotency_key = key;
        if let Some(given) = self.check_together(&mut submissions).await? {
            return Ok(given);
        }
        let batch = WriteBatch {
            submissions,
            reports: Vec::new(),
        };
        match self.write(&batch).await {
            Ok(written) => {
                let tasks = written.plan.tasks.iter().map(|(id, _)| *id).collect();
                self.apply_committed(batch, written).await;
                Ok(tasks)
            }
            Err(error) => {
                if !error.is_of_row() {
                    self.note_failure(&error);
                }
                Err(error)
            }
        }
    }

    /// Stores that a request had no task: a repeat gets that answer, and another request with its key is refused.
    async fn submit_none(&mut self, key: Option<IdempotencyKey>) -> Result<Vec<TaskId>, Error> {
        let Some(key) = key else {
            return Ok(Vec::new());
        };
        let conn = &mut self.db.conn;
        let replies = lookups::stored_replies(conn, &serde_json::to_string(&[&key.key])?).await?;
        if let Some(reply) = replies.get(&key.key) {
            return reply.to(&key.body).map(|reply| reply.task_ids.clone());
        }
        let now = Timestamp::now().to_string();
        let body = key.body.as_slice();
        self.execute(async |conn| {
            let inserted = sqlx::query!(
                "INSERT INTO idempotency (key, body, task_ids, created_at) VALUES (?1, ?2, '[]', ?3)",
                key.key,
                body,
                now
            );
            inserted.execute(conn).await?;
            Ok(Vec::new())
        })
        .await
    }
}
