//! Submits the task of a schedule's due time exactly once, also if the service dies between the two writes.

use crate::models::{NewTask, TaskId, Timestamp};
use crate::state::error::Error;
use crate::state::schedules;
use crate::state::writer::batch::Submission;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// A due time of a schedule. The answer is the task that it made just now or before.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) schedule: String,
    pub(crate) time: Timestamp,
    /// `None` skips the time.
    pub(crate) task: Option<NewTask>,
    /// The schedule has come further than to `time`, by a clock that was ahead, and is to go on from there.
    pub(crate) turns_back: bool,
}

impl WriterCommand for Due {
    type Answer = Option<TaskId>;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<Option<TaskId>, Error> {
        let is_past = schedules::is_past(&mut core.db.conn, &self.schedule, self.time).await?;
        if is_past && !self.turns_back {
            return Ok(None);
        }
        let Some(task) = self.task else {
            core.mark_schedule(&self.schedule, self.time, None).await?;
            return Ok(None);
        };
        let key = schedules::due_time_key(&self.schedule, self.time);
        let tasks = core.submit_together(vec![Submission::new(task)], Some(key));
        let task = tasks.await?.first().copied();
        core.mark_schedule(&self.schedule, self.time, task).await?;
        Ok(task)
    }
}

impl Core {
    /// Stores how far the schedule has come.
    async fn mark_schedule(
        &mut self,
        schedule: &str,
        time: Timestamp,
        task: Option<TaskId>,
    ) -> Result<(), Error> {
        self.execute(async |conn| schedules::mark(conn, schedule, time, task).await)
            .await
    }
}
