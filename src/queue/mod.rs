//! The QueueManager: what an operator does to the whole queue, or to a running task.
//!
//! The [`StateManager`] changes rows; the orchestrator owns the running attempts and stops them on command. The two meet
//! here and nowhere else.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use crate::models::{QueueStatus, TaskId};
use crate::state::{Error, PauseQueue, Paused, Purged, Resumed, StateManager};

/// Commands that may be queued for the orchestrator.
const COMMANDS: usize = 1024;

/// Commands of one call that are queued at a time.
const ABORTS_AT_ONCE: usize = 256;

/// How long to wait for the answer to a command: processors leave within ten seconds, and then the outcome has
/// to be stored.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a running attempt is stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// Somebody aborted this task.
    Abort,
    EmergencyStop,
    /// The service stops and its grace period is over.
    Shutdown,
}

/// A command to the orchestrator about running attempts. It answers when they have ended and their
/// outcome is stored.
#[derive(Debug)]
pub(crate) enum StopCommand {
    /// Answers whether the task was running and was stopped.
    Task {
        id: TaskId,
        /// Who asks for it, which the journal has with the outcome.
        by: Option<Arc<str>>,
        reply: oneshot::Sender<bool>,
    },
    /// Answers how many were stopped.
    Everything {
        reason: StopReason,
        reply: oneshot::Sender<u64>,
    },
}

/// What an emergency stop did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmergencyStopped {
    /// Running tasks that were stopped.
    pub(crate) cancelled: u64,
    /// Waiting tasks that were purged.
    pub(crate) purged: u64,
}

/// The handle to the queue; clone it freely.
#[derive(Clone)]
pub(crate) struct QueueManager {
    state: StateManager,
    commands: mpsc::Sender<StopCommand>,
}

impl QueueManager {
    /// A queue on `state`; the receiver is for the orchestrator.
    pub(crate) fn new(state: StateManager) -> (Self, mpsc::Receiver<StopCommand>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        (Self { state, commands }, inbox)
    }

    /// The same queue, steered in somebody's name: the journal has it with what is done.
    #[must_use]
    pub(crate) fn as_actor(&self, by: Option<Arc<str>>) -> Self {
        let state = self.state.as_actor(by);
        let commands = self.commands.clone();
        Self { state, commands }
    }

    /// The queue's condition.
    ///
    /// # Errors
    /// When the service is stopping.
    pub(crate) async fn status(&self) -> Result<QueueStatus, Error> {
        self.state.queue_status().await
    }

    /// Starts nothing more, of the whole queue or of one processor, until [`QueueManager::resume`] or the
    /// time that it names; what runs goes on.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn pause(&self, request: PauseQueue) -> Result<Paused, Error> {
        self.state.pause(request).await
    }

    /// Starts tasks again, of the whole queue or of one processor, which need not be configured.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn resume(&self, processor: Option<String>) -> Result<Resumed, Error> {
        self.state.resume(processor).await
    }

    /// Fails every task that waits.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn purge(&self) -> Result<Purged, Error> {
        self.state.purge().await
    }

    /// Stops one running task; whether it was running. When this returns the task has ended.
    ///
    /// # Errors
    /// When the service is stopping.
    pub(crate) async fn abort(&self, id: TaskId) -> Result<bool, Error> {
        let by = self.state.actor();
        let command = |by, reply| StopCommand::Task { id, by, reply };
        if self.command(|reply| command(by.clone(), reply)).await? {
            return Ok(true);
        }
        // A claim that was committed a moment ago may still be on its way to the orchestrator. Once
        // the Writer has answered, it has been handed over.
        self.state.writer_is_done().await?;
        self.command(|reply| command(by, reply)).await
    }

    /// Stops these tasks, many at a time; how many of them were running.
    ///
    /// # Errors
    /// When the service is stopping.
    pub(crate) async fn abort_all(&self, ids: Vec<TaskId>) -> Result<u64, Error> {
        let aborts = ids.into_iter().map(|id| self.abort(id));
        stream::iter(aborts)
            .buffer_unordered(ABORTS_AT_ONCE)
            .try_fold(0, async |stopped, was_running| {
                Ok(stopped + u64::from(was_running))
            })
            .await
    }

    /// Pauses, stops everything that runs, and purges what was waiting.
    ///
    /// The pause is stored first: nothing starts any more, also if the service dies half-way.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn emergency_stop(&self) -> Result<EmergencyStopped, Error> {
        // A task of its own, so that a client that goes away does not leave half a stop.
        let queue = self.clone();
        let stop = tokio::spawn(async move { queue.stop_everything().await });
        let stopped = stop.await;
        stopped.map_err(|error| Error::Unavailable(error.to_string()))?
    }

    async fn stop_everything(&self) -> Result<EmergencyStopped, Error> {
        let upto = self.state.begin_emergency_stop().await?;
        let reason = StopReason::EmergencyStop;
        let cancelled = self
            .command(|reply| StopCommand::Everything { reason, reply })
            .await?;
        let purged = self.state.finish_emergency_stop(upto, cancelled).await?;
        Ok(EmergencyStopped {
            cancelled,
            purged: purged.removed,
        })
    }

    async fn command<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<T>) -> StopCommand,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.commands
            .send(command(reply))
            .await
            .map_err(|_| Error::Stopping)?;
        let answer = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| {
            let what = "running tasks were told to stop; their outcomes are not stored yet";
            Error::Unavailable(what.to_owned())
        })?;
        answer.map_err(|_| Error::Stopping)
    }
}
