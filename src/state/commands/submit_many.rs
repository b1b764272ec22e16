//! Submissions that are more than one task, or a task and a mark: each is one transaction.

use crate::models::{TaskId, Timestamp};
use crate::state::error::Error;
use crate::state::schedules;
use crate::state::writer::batch::{Batch, IdempotencyKey, Submission};
use crate::state::writer::message::Due;
use crate::state::writer::preconditions;
use crate::state::writer::run::Writer;

impl Writer {
    /// Writes all tasks or none; once, if a repeat is to be known.
    pub(crate) async fn submit_all(
        &mut self,
        mut submissions: Vec<Submission>,
        once: Option<IdempotencyKey>,
    ) -> Result<Vec<TaskId>, Error> {
        let Some(first) = submissions.first_mut() else {
            return self.submit_none(once).await;
        };
        first.once = once;
        if let Some(given) = self.admit_all(&mut submissions).await? {
            return Ok(given);
        }
        let batch = Batch {
            submissions,
            reports: Vec::new(),
        };
        match self.write(&batch).await {
            Ok(written) => {
                let tasks = written.plan.tasks.iter().map(|(id, _)| *id).collect();
                self.settle(batch, written).await;
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

    /// No task at all is an answer too, which a repeat gets and another request with its key does not.
    async fn submit_none(&mut self, once: Option<IdempotencyKey>) -> Result<Vec<TaskId>, Error> {
        let Some(once) = once else {
            return Ok(Vec::new());
        };
        let conn = &mut self.conn;
        if let Some(given) = preconditions::given_to(conn, &once).await? {
            return Ok(given);
        }
        let now = Timestamp::now().to_string();
        let body = once.body.as_slice();
        sqlx::query!(
            "INSERT INTO idempotency (key, body, task_ids, created_at) VALUES (?1, ?2, '[]', ?3)",
            once.key,
            body,
            now
        )
        .execute(conn)
        .await?;
        Ok(Vec::new())
    }

    /// Makes the task of a due time once, also if the service dies between the two writes.
    pub(crate) async fn submit_scheduled(&mut self, due: Due) -> Result<Option<TaskId>, Error> {
        let is_past = schedules::is_past(&mut self.conn, &due.schedule, due.time).await?;
        if is_past && !due.turns_back {
            return Ok(None);
        }
        let Some(task) = due.task else {
            schedules::mark(&mut self.conn, &due.schedule, due.time, None).await?;
            return Ok(None);
        };
        let once = schedules::once(&due.schedule, due.time);
        let tasks = self.submit_all(vec![Submission::new(task)], Some(once));
        let task = tasks.await?.first().copied();
        schedules::mark(&mut self.conn, &due.schedule, due.time, task).await?;
        Ok(task)
    }
}
