//! The QueueManager: an operator's commands for the whole queue, or for a running task.
//!
//! The [`StateManager`] changes rows; the orchestrator owns the running attempts and stops them on command. Only this
//! file uses both.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use crate::models::{QueueStatus, TaskId};
use crate::state::{Error, PauseQueue, Paused, Purged, Resumed, StateManager};

/// The number of commands that may be queued for the orchestrator.
const COMMANDS: usize = 1024;

/// The number of commands of one call that are queued at a time.
const ABORTS_AT_ONCE: usize = 256;

/// How long a call waits for the answer to a command: processors return within ten seconds, and then the outcome has
/// to be stored.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a running attempt is stopped from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// A client aborted this task.
    Abort,
    EmergencyStop,
    /// The service stops and its grace period is over.
    Shutdown,
}

/// A command to the orchestrator about running attempts. It is answered when they have ended and their outcomes are
/// stored.
#[derive(Debug)]
pub(crate) enum StopCommand {
    /// Replies whether the task was running and was stopped.
    Task {
        id: TaskId,
        /// The actor who aborts it, for the journal.
        actor: Option<Arc<str>>,
        reply: oneshot::Sender<bool>,
    },
    /// Replies how many were stopped.
    Everything {
        reason: StopReason,
        reply: oneshot::Sender<u64>,
    },
}

/// The result of an emergency stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EmergencyStopped {
    /// The number of running tasks that were stopped.
    pub(crate) cancelled: u64,
    /// The number of pending tasks that were purged.
    pub(crate) purged: u64,
}

/// The handle to the queue; clone it freely.
#[derive(Clone)]
pub(crate) struct QueueManager {
    state: StateManager,
    commands: mpsc::Sender<StopCommand>,
}

impl QueueManager {
    /// Creates a queue on `state`; the receiver is for the orchestrator.
    pub(crate) fn new(state: StateManager) -> (Self, mpsc::Receiver<StopCommand>) {
        let (commands, inbox) = mpsc::channel(COMMANDS);
        (Self { state, commands }, inbox)
    }

    /// Returns this queue with an actor, whom the journal names in each entry.
    #[must_use]
    pub(crate) fn as_actor(&self, actor: Option<Arc<str>>) -> Self {
        let state = self.state.as_actor(actor);
        let commands = self.commands.clone();
        Self { state, commands }
    }

    /// Returns the status of the queue.
    ///
    /// # Errors
    /// If the service is stopping.
    pub(crate) async fn status(&self) -> Result<QueueStatus, Error> {
        self.state.queue_status().await
    }

    /// Pauses the whole queue or one processor until [`QueueManager::resume`] or the given time; running tasks
    /// continue.
    ///
    /// # Errors
    /// If it could not be stored.
    pub(crate) async fn pause(&self, request: PauseQueue) -> Result<Paused, Error> {
        self.state.pause(request).await
    }

    /// Resumes the whole queue or one processor, which need not be configured.
    ///
    /// # Errors
    /// If it could not be stored.
    pub(crate) async fn resume(&self, processor: Option<String>) -> Result<Resumed, Error> {
        self.state.resume(processor).await
    }

    /// Fails every pending task.
    ///
    /// # Errors
    /// If it could not be stored.
    pub(crate) async fn purge(&self) -> Result<Purged, Error> {
        self.state.purge().await
    }

    /// Stops one running task; returns whether it was running. When this returns, the task has ended.
    ///
    /// # Errors
    /// If the service is stopping.
    pub(crate) async fn abort(&self, id: TaskId) -> Result<bool, Error> {
        let actor = self.state.actor();
        let command = |actor, reply| StopCommand::Task { id, actor, reply };
        if self.command(|reply| command(actor.clone(), reply)).await? {
            return Ok(true);
        }
        // The orchestrator may not yet have received a claim that has just been committed. Once the Writer has
        // answered, it has been handed over.
        self.state.writer_is_done().await?;
        self.command(|reply| command(actor, reply)).await
    }

    /// Stops these tasks, many at a time; returns how many of them were running.
    ///
    /// # Errors
    /// If the service is stopping.
    pub(crate) async fn abort_all(&self, ids: Vec<TaskId>) -> Result<u64, Error> {
        let aborts = ids.into_iter().map(|id| self.abort(id));
        stream::iter(aborts)
            .buffer_unordered(ABORTS_AT_ONCE)
            .try_fold(0, async |stopped, was_running| {
                Ok(stopped + u64::from(was_running))
            })
            .await
    }

    /// Pauses the queue, stops all running tasks, and purges the pending tasks.
    ///
    /// The pause is stored first: no task starts, even if the service dies half-way.
    ///
    /// # Errors
    /// If it could not be stored.
    pub(crate) async fn emergency_stop(&self) -> Result<EmergencyStopped, Error> {
        // A task of its own, so that a client that disconnects does not leave half a stop.
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
            let what = "running tasks are being stopped, but their outcomes are not stored yet";
            Error::Unavailable(what.to_owned())
        })?;
        answer.map_err(|_| Error::Stopping)
    }
}
