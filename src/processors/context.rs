//! What a processor sees of the attempt it runs.

use tokio_util::sync::CancellationToken;

use crate::models::{ClaimedTask, TaskId};
use crate::state::StateManager;

/// One attempt, handed to its processor.
pub struct Context {
    task: ClaimedTask,
    stop: CancellationToken,
    state: StateManager,
}

impl Context {
    pub fn new(task: ClaimedTask, stop: CancellationToken, state: StateManager) -> Self {
        Self { task, stop, state }
    }

    pub fn task_id(&self) -> TaskId {
        self.task.attempt.task_id
    }

    /// The attempt's number; the first is 1. With [`Context::task_id`] it names this run forever.
    pub fn attempt(&self) -> i64 {
        self.task.attempt.number
    }

    pub fn content(&self) -> &str {
        &self.task.content
    }

    /// Resolves when the attempt has to end: abort, timeout, emergency stop or shutdown.
    pub async fn stopped(&self) {
        self.stop.cancelled().await;
    }

    /// Adds a line to the task's log. Waits while the Writer is behind, so that a chatty processor
    /// slows itself and nobody else.
    pub async fn log(&self, line: String) {
        self.state
            .log(self.task.attempt, &self.task.processor, line)
            .await;
    }

    /// Sets the task's progress, 0 to 1. Waits while the Writer is behind.
    pub async fn progress(&self, progress: f64) {
        self.state
            .set_progress(self.task.attempt, progress.clamp(0.0, 1.0))
            .await;
    }
}
