//! What a processor sees of the attempt it runs.

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::RunError;
use crate::models::{ClaimedTask, OfferId, Task, TaskId};
use crate::state::{StateManager, Upstream};

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

    /// The offer of an outside worker that the attempt answers.
    pub fn offer(&self) -> Option<OfferId> {
        self.task.terms.offer
    }

    /// The task as clients see it, for processors that hand all of it on.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn task(&self) -> Result<Task, RunError> {
        let gone = || RunError::new("the task cannot be read: it is not there");
        let task = self.state.task(self.task_id()).await;
        let task = task.map_err(|error| RunError::new(format!("the task cannot be read: {error}")));
        task?.ok_or_else(gone)
    }

    /// The tasks that it waited for, in the order in which it named them.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn upstream(&self) -> Result<Vec<Upstream>, RunError> {
        if !self.task.terms.has_upstream {
            return Ok(Vec::new());
        }
        let upstream = self.state.upstream(self.task_id()).await;
        upstream.map_err(|error| RunError::new(format!("its upstream cannot be read: {error}")))
    }

    /// Adds to the answer as it grows. Waits while the Writer is behind.
    pub async fn output(&self, text: String) {
        self.state
            .output(self.task.attempt, &self.task.processor, text)
            .await;
    }

    /// Sets `context_history.<name>` of the task. Waits while the Writer is behind.
    pub async fn note(&self, name: &str, value: &Value) {
        self.state.note(self.task.attempt, name, value).await;
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
