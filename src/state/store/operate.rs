//! What an operator asks for: pauses, stops, limits, retries, deletions and explanations.

use std::collections::HashMap;

use serde_json::Value;

use crate::models::{HiveLink, QueueStatus, TaskId};
use crate::state::commands::barrier::Barrier;
use crate::state::commands::delete::{DeleteTask, Deleted};
use crate::state::commands::emergency_stop::{BeginEmergencyStop, FinishEmergencyStop};
use crate::state::commands::hive_link::SetHiveLink;
use crate::state::commands::pause::{PauseRequest, Paused};
use crate::state::commands::purge::PurgeQueue;
use crate::state::commands::reconfigure::Reconfigured;
use crate::state::commands::resume::{Resume, Resumed};
use crate::state::commands::retry::{Retried, RetryTask};
use crate::state::commands::set_meta::SetMeta;
use crate::state::commands::system_log::WriteSystemLog;
use crate::state::db::meta;
use crate::state::dispatch::explain::{ExplainedTask, Explanation, ProcessorStatus};
use crate::state::error::Error;
use crate::state::retry::requeue::RetryAt;
use crate::state::store::StateManager;
use crate::state::writer::background::Purged;
use crate::state::writer::questions::Question;

impl StateManager {
    /// SlidingWindow nothing more until [`StateManager::resume`] or the time that it names, also after a
    /// restart; the pause that holds then.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn pause(&self, request: PauseRequest) -> Result<Paused, Error> {
        self.ask(request).await
    }

    /// SlidingWindow tasks again, of the whole queue or of one processor, which need not be configured.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn resume(&self, processor: Option<String>) -> Result<Resumed, Error> {
        self.ask(Resume(processor)).await
    }

    /// Fails every task that waits at this moment.
    ///
    /// # Errors
    /// When it could not be stored; some of the tasks may have been purged then.
    pub(crate) async fn purge(&self) -> Result<Purged, Error> {
        self.ask_and_wait(PurgeQueue).await
    }

    /// Pauses the queue; the returned mark is for [`StateManager::finish_emergency_stop`], which
    /// purges what waits at this moment.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn begin_emergency_stop(&self) -> Result<i64, Error> {
        self.ask(BeginEmergencyStop).await
    }

    /// Purges, and tells everybody that `cancelled` running tasks were stopped.
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

    /// The queue's condition, at once, also while the storage takes no writes: then it says so. Everything that
    /// the Writer has answered before is in it.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn queue_status(&self) -> Result<QueueStatus, Error> {
        let status = self.question(Question::Status).await?;
        let problem = self.health.problem();
        Ok(QueueStatus { problem, ..status })
    }

    /// Returns when the Writer has done everything that was handed to it before; it waits for the storage.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn writer_is_done(&self) -> Result<(), Error> {
        self.ask(Barrier).await
    }

    /// Whether the Hive takes tasks from now on. Those that have waited for it start at once when it is
    /// connected; while it is not, none starts, and what runs goes on. It is not stored.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn set_hive_link(&self, link: HiveLink) -> Result<(), Error> {
        self.ask(SetHiveLink(link)).await
    }

    /// Journals a sentence as SYSTEM_LOG, and so tells everybody who listens. `data` is a JSON object, which
    /// gets the `level`: `INFO` or `WARNING`.
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

    /// The order to the whole Hive that was obeyed last, as it was published.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) async fn hive_order(&self) -> Result<Option<String>, Error> {
        meta::get(&self.read, meta::HIVE_COMMAND).await
    }

    /// Remembers an order to the whole Hive, which is JSON, also after a restart.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn note_hive_order(&self, order: String) -> Result<(), Error> {
        self.ask(SetMeta(meta::HIVE_COMMAND, order)).await
    }

    /// The condition of every processor that has limits, tasks, or a pause.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn processors(&self) -> Result<HashMap<String, ProcessorStatus>, Error> {
        self.question(Question::Processors).await
    }

    /// From now on these settings hold. What runs goes on.
    ///
    /// # Errors
    /// When it could not be stored; then nothing has changed.
    pub(crate) async fn set_limits(&self, change: Reconfigured) -> Result<(), Error> {
        self.ask(Box::new(change)).await
    }

    /// Lets a task wait again that has FAILED, with all its attempts before it; until when, if it never began.
    ///
    /// # Errors
    /// When it could not be stored, or another task has its unique key.
    pub(crate) async fn retry(&self, task: TaskId, at: RetryAt) -> Result<Retried, Error> {
        self.ask(RetryTask(task, at)).await
    }

    /// Deletes a final task with its journal.
    ///
    /// # Errors
    /// When it could not be deleted.
    pub(crate) async fn delete(&self, task: TaskId) -> Result<Deleted, Error> {
        self.ask(DeleteTask(task)).await
    }

    /// Why a waiting task does not start.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub(crate) async fn explain(&self, asked: ExplainedTask) -> Result<Explanation, Error> {
        self.question(|reply| Question::Explain(asked, reply)).await
    }
}
