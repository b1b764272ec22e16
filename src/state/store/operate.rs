//! `StateManager`: operator commands, such as pause, stop, limit, retry, delete and explain.

use std::collections::HashMap;

use serde_json::Value;

use crate::models::{HiveLink, QueueStatus, TaskId};
use crate::state::commands::barrier::Barrier;
use crate::state::commands::delete::{DeleteTask, Deleted};
use crate::state::commands::emergency_stop::{BeginEmergencyStop, FinishEmergencyStop};
use crate::state::commands::hive_link::SetHiveLink;
use crate::state::commands::pause::{PauseQueue, Paused};
use crate::state::commands::purge::PurgeQueue;
use crate::state::commands::reconfigure::Reconfigured;
use crate::state::commands::resume::{ResumeQueue, Resumed};
use crate::state::commands::retry::{Retried, RetryTask};
use crate::state::commands::set_meta::SetMeta;
use crate::state::commands::system_log::WriteSystemLog;
use crate::state::db::meta;
use crate::state::dispatch::explain::{ExplainedTask, Explanation, ProcessorStatus};
use crate::state::error::Error;
use crate::state::retry::requeue::RetryAt;
use crate::state::store::StateManager;
use crate::state::writer::background::Purged;
use crate::state::writer::questions::WriterQuestion;

impl StateManager {
    /// Pauses the queue or one processor until [`StateManager::resume`] or the given time, also across a restart. Returns
    /// the pause in force.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn pause(&self, request: PauseQueue) -> Result<Paused, Error> {
        self.ask(request).await
    }

    /// Resumes the queue or one processor, configured or not.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn resume(&self, processor: Option<String>) -> Result<Resumed, Error> {
        self.ask(ResumeQueue(processor)).await
    }

    /// Fails every task that is PENDING when the Writer gets the command. Returns how many.
    ///
    /// # Errors
    /// When it could not be stored; some of the tasks may have been purged then.
    pub(crate) async fn purge(&self) -> Result<Purged, Error> {
        self.ask_and_wait(PurgeQueue).await
    }

    /// Pauses the queue. Returns a mark for [`StateManager::finish_emergency_stop`], which purges the tasks that are
    /// PENDING when the Writer gets this command.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn begin_emergency_stop(&self) -> Result<i64, Error> {
        self.ask(BeginEmergencyStop).await
    }

    /// Purges the tasks up to the mark `upto`, and publishes that `cancelled` running tasks were stopped.
    ///
    /// # Errors
    /// When it could not be stored; the queue stays paused.
    pub(crate) async fn finish_emergency_stop(
        &self,
        upto: i64,
        cancelled: u64,
    ) -> Result<Purged, Error> {
        self.ask_and_wait(FinishEmergencyStop { upto, cancelled })
            .await
    }

    /// Returns the status of the queue, also while the storage accepts no writes. It covers every message that the
    /// Writer has answered before.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn queue_status(&self) -> Result<QueueStatus, Error> {
        let status = self.question(WriterQuestion::Status).await?;
        let problem = self.health.problem();
        Ok(QueueStatus { problem, ..status })
    }

    /// Returns after the Writer has processed all earlier messages, which may include waiting for the storage.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn writer_is_done(&self) -> Result<(), Error> {
        self.ask(Barrier).await
    }

    /// Sets the state of the link to the Hive. Tasks of the Hive start only while it is connected; running tasks
    /// continue. The state is not stored.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn set_hive_link(&self, link: HiveLink) -> Result<(), Error> {
        self.ask(SetHiveLink(link)).await
    }

    /// Writes a message to the journal as SYSTEM_LOG, which publishes it. `data` is a JSON object, which gets the
    /// `level`: `INFO` or `WARNING`.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn tell(
        &self,
        level: &'static str,
        message: String,
        data: Value,
    ) -> Result<(), Error> {
        self.ask(WriteSystemLog {
            level,
            message,
            data,
        })
        .await
    }

    /// Returns the last broadcast command to the Hive (JSON), as it was published.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn hive_order(&self) -> Result<Option<String>, Error> {
        meta::get(&self.read, meta::HIVE_COMMAND).await
    }

    /// Stores a broadcast command to the Hive (JSON), so that it survives a restart.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn note_hive_order(&self, order: String) -> Result<(), Error> {
        self.ask(SetMeta(meta::HIVE_COMMAND, order)).await
    }

    /// Returns the status of every processor that has limits, tasks, or a pause.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn processors(&self) -> Result<HashMap<String, ProcessorStatus>, Error> {
        self.question(WriterQuestion::Processors).await
    }

    /// Applies the settings of a reload. Running tasks continue.
    ///
    /// # Errors
    /// When it could not be stored. Then nothing has changed.
    pub(crate) async fn set_limits(&self, change: Reconfigured) -> Result<(), Error> {
        self.ask(Box::new(change)).await
    }

    /// Makes a FAILED task PENDING again with a fresh number of attempts. If it never began, it keeps its scheduled
    /// time, which is returned.
    ///
    /// # Errors
    /// When it could not be stored, or another task has its unique key.
    pub(crate) async fn retry(&self, task: TaskId, at: RetryAt) -> Result<Retried, Error> {
        self.ask(RetryTask(task, at)).await
    }

    /// Deletes a finished task and its journal rows. Returns what was deleted or why not.
    ///
    /// # Errors
    /// When it could not be deleted.
    pub(crate) async fn delete(&self, task: TaskId) -> Result<Deleted, Error> {
        self.ask(DeleteTask(task)).await
    }

    /// Returns why a PENDING task does not start.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn explain(&self, asked: ExplainedTask) -> Result<Explanation, Error> {
        self.question(|reply| WriterQuestion::Explain(asked, reply))
            .await
    }
}
