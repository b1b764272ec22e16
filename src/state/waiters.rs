//! Who waits for the end of a task: thousands of them cost one entry each, and nothing while they wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use super::journal::Row;
use crate::models::{EventType, TaskId};

/// Waiters by task. A waiter registers first and reads the task then, so that no end is missed.
#[derive(Clone, Default)]
pub(super) struct Waiters(Arc<Mutex<HashMap<TaskId, Vec<oneshot::Sender<()>>>>>);

impl Waiters {
    /// Resolves when the task becomes final.
    pub fn wait_for(&self, task: TaskId) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.entry(task).or_default().push(sender);
        receiver
    }

    /// The waiter has left; forgets the task if it was the last.
    pub fn leave(&self, task: TaskId) {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = waiters.get_mut(&task) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiters.remove(&task);
            }
        }
    }

    /// Wakes those whose tasks have become final with these rows.
    pub fn wake(&self, rows: &[Row]) {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiters.is_empty() {
            return;
        }
        for row in rows {
            let is_final = matches!(
                row.kind,
                EventType::TaskCompleted | EventType::TaskFailed | EventType::TaskAborted
            );
            if let (true, Some(task)) = (is_final, row.task_id) {
                for sender in waiters.remove(&task).into_iter().flatten() {
                    let _ = sender.send(());
                }
            }
        }
    }
}
