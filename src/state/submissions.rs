//! Submissions that are more than one task, or a task and a mark: each is one transaction.

use super::batch::{Batch, Submission};
use super::request::Due;
use super::writer::Writer;
use super::{Error, manual, schedules};
use crate::models::TaskId;

impl Writer {
    /// Writes all tasks or none.
    pub(super) async fn submit_all(
        &mut self,
        mut submissions: Vec<Submission>,
    ) -> Result<Vec<TaskId>, Error> {
        if submissions.is_empty() {
            return Ok(Vec::new());
        }
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
                if !matches!(error, Error::Refused(_)) {
                    self.note_failure(&error);
                }
                Err(manual::taken(error))
            }
        }
    }

    /// Makes the task of a due time once, also if the service dies between the two writes.
    pub(super) async fn submit_scheduled(&mut self, due: Due) -> Result<Option<TaskId>, Error> {
        if schedules::is_past(&mut self.conn, &due.schedule, due.time).await? {
            return Ok(None);
        }
        let Some(task) = due.task else {
            schedules::mark(&mut self.conn, &due.schedule, due.time, None).await?;
            return Ok(None);
        };
        let once = schedules::once(&due.schedule, due.time);
        let submission = Submission {
            once: Some(once),
            ..Submission::new(task)
        };
        let task = self.submit_all(vec![submission]).await?.first().copied();
        schedules::mark(&mut self.conn, &due.schedule, due.time, task).await?;
        Ok(task)
    }
}
