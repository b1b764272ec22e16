//! The orchestrator: receives claimed tasks, runs each in an executor, and stops them on command.
//!
//! One loop owns the running set. It handles claims before commands, so a claimed task is in the set before any
//! command about it. An executor is removed when its outcome is with the Writer, or when an outside worker continues
//! its attempt while the service stops.

mod executor;
mod recovery;
mod running;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

pub(crate) use recovery::recover;

use crate::models::{ClaimedTask, TaskId};
use crate::processors::Registry;
use crate::queue::{StopCommand, StopReason};
use crate::state::{Error, StateManager};
use crate::traces::Traces;
use executor::STOP_PATIENCE;
use running::{FinishedAttempt, RunningAttempts};

/// How long a stop waits for outcomes to be stored, and how often it checks.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(5);
const OUTCOME_PAUSE: Duration = Duration::from_millis(5);

/// The state of the loop, which only the loop touches.
pub(crate) struct Orchestrator {
    state: StateManager,
    registry: Arc<Registry>,
    commands: mpsc::Receiver<StopCommand>,
    executors: JoinSet<FinishedAttempt>,
    running: RunningAttempts,
    /// The number of attempts left to outside workers at the stop.
    left: u64,
    traces: Traces,
}

impl Orchestrator {
    pub(crate) fn new(
        state: StateManager,
        registry: Arc<Registry>,
        commands: mpsc::Receiver<StopCommand>,
        traces: Traces,
    ) -> Self {
        Self {
            state,
            registry,
            commands,
            executors: JoinSet::new(),
            running: RunningAttempts::default(),
            left: 0,
            traces,
        }
    }

    /// Runs tasks until `stop`, then lets the running ones continue for `grace` and returns the rest to the queue. It
    /// leaves the attempts of outside workers, which continue without the service. `draining` is cancelled once no
    /// more tasks start.
    ///
    /// # Errors
    /// If the Writer is gone.
    pub(crate) async fn run(
        mut self,
        stop: CancellationToken,
        draining: CancellationToken,
        grace: Duration,
    ) -> Result<(), Error> {
        let mut claims = self.state.claim().await?;
        loop {
            tokio::select! {
                biased;
                // Claims first: under load there is always something else to do.
                () = stop.cancelled() => break,
                Some(tasks) = claims.recv() => self.start(tasks),
                Some(ended) = self.executors.join_next(), if !self.executors.is_empty() => {
                    self.on_ended(ended);
                }
                Some(command) = self.commands.recv() => self.handle_command(command),
            }
        }
        // While the disk confirms nothing, the answer does not come.
        let stopped = tokio::time::timeout(OUTCOME_PATIENCE, self.state.stop_claiming()).await;
        draining.cancel();
        stopped.unwrap_or(Ok(()))?;
        while let Ok(tasks) = claims.try_recv() {
            self.start(tasks);
        }
        // Their grace would be as long as the others', and they need none.
        self.running.stop_remote(StopReason::Shutdown);
        self.drain(Instant::now() + grace, Self::has_work_here)
            .await;
        self.running.stop_all(StopReason::Shutdown);
        // Every processor returns when it is stopped, or its executor drops it. What remains waits for a storage that
        // takes no writes; its tasks run again at the next start.
        let patience = Instant::now() + STOP_PATIENCE + OUTCOME_PATIENCE;
        if self
            .drain(patience, |this| !this.executors.is_empty())
            .await
        {
            self.outcomes_stored().await;
        }
        if self.left > 0 {
            let attempts = self.left;
            tracing::info!(attempts, "outside workers continue with their attempts");
        }
        Ok(())
    }

    /// Returns true if an attempt runs that does not continue without the service.
    fn has_work_here(&self) -> bool {
        self.executors.len() > self.running.leased()
    }

    /// Waits for running attempts while `is_more`, at most until `deadline`; returns true if the wait was complete.
    async fn drain(&mut self, deadline: Instant, is_more: fn(&Self) -> bool) -> bool {
        // A past deadline wins even over a steady stream of ends.
        let drained = tokio::time::timeout_at(deadline, self.drain_while(is_more)).await;
        drained.is_ok()
    }

    async fn drain_while(&mut self, is_more: fn(&Self) -> bool) {
        while is_more(self) {
            tokio::select! {
                Some(ended) = self.executors.join_next() => self.on_ended(ended),
                Some(command) = self.commands.recv() => self.handle_command(command),
            }
        }
    }

    /// Waits until the last outcomes are stored, so that listeners and the dump get them. The wait is bounded,
    /// because a storage that takes no writes leaves them with the Writer.
    async fn outcomes_stored(&self) {
        let stored = async {
            while self
                .state
                .queue_status()
                .await
                .is_ok_and(|status| status.active > self.left)
            {
                tokio::time::sleep(OUTCOME_PAUSE).await;
            }
        };
        let _ = tokio::time::timeout(OUTCOME_PATIENCE, stored).await;
    }

    fn start(&mut self, tasks: Vec<ClaimedTask>) {
        for task in tasks {
            let is_leased = task.terms.lease.is_some();
            let entry = match is_leased {
                true => Some(self.registry.leased(&task.processor)),
                false => self.registry.get(&task.processor),
            };
            let is_remote = entry
                .as_ref()
                .is_some_and(|entry| entry.processor.is_remote());
            let signal = self.running.add(task.attempt, is_remote, is_leased);
            let (state, traces) = (self.state.clone(), self.traces.clone());
            self.executors
                .spawn(executor::execute(task, entry, signal, state, traces));
        }
    }

    fn on_ended(&mut self, ended: Result<FinishedAttempt, JoinError>) {
        match ended {
            Ok(ended) => {
                self.left += u64::from(ended.goes_on);
                self.running.remove(ended);
            }
            // An executor catches its processor's panics and is never cancelled.
            Err(error) => tracing::error!(%error, "an executor ended without an outcome"),
        }
    }

    fn handle_command(&mut self, command: StopCommand) {
        match command {
            StopCommand::Task { id, actor, reply } => self.stop_task(id, actor, reply),
            StopCommand::Everything { reason, reply } => {
                self.running.stop_all(reason);
                self.running.answer_when_empty(reason, reply);
            }
        }
    }

    fn stop_task(&mut self, id: TaskId, actor: Option<Arc<str>>, reply: oneshot::Sender<bool>) {
        if self.running.abort(id, actor) {
            self.running.answer_when_ended(id, reply);
        } else {
            // The caller may have gone away.
            let _ = reply.send(false);
        }
    }
}
