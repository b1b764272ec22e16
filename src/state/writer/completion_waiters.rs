//! Who waits for the end of a task's attempt: thousands of them cost one entry each, and nothing while
//! they wait.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;

use crate::models::{EventType, TaskId, TaskStatus};
use crate::state::journal::entry::JournalEntry;

/// CompletionWaiters by task. A waiter registers first and reads the task then, so that no end is missed.
#[derive(Clone, Default)]
pub(crate) struct CompletionWaiters(Arc<Mutex<HashMap<TaskId, Vec<oneshot::Sender<TaskStatus>>>>>);

/// One who waits; forgotten when it is dropped.
pub(crate) struct Waiter {
    waiters: CompletionWaiters,
    task: TaskId,
    woken: oneshot::Receiver<TaskStatus>,
}

impl CompletionWaiters {
    /// Wakes when an attempt of the task ends.
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let (sender, woken) = oneshot::channel();
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiters.entry(task).or_default().push(sender);
        Waiter {
            waiters: self.clone(),
            task,
            woken,
        }
    }

    /// A waiter has left; forgets the task if it was the last.
    fn leave(&self, task: TaskId) {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(senders) = waiters.get_mut(&task) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiters.remove(&task);
            }
        }
    }

    /// Wakes those whose tasks have ended an attempt with these rows.
    pub(crate) fn wake(&self, rows: &[JournalEntry]) {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiters.is_empty() {
            return;
        }
        for row in rows {
            let status = match row.kind {
                EventType::TaskCompleted => TaskStatus::Completed,
                EventType::TaskFailed | EventType::TaskAborted => TaskStatus::Failed,
                EventType::TaskRetrying => TaskStatus::Pending,
                _ => continue,
            };
            if let Some(task) = row.task_id {
                for sender in waiters.remove(&task).into_iter().flatten() {
                    let _ = sender.send(status);
                }
            }
        }
    }
}

impl Waiter {
    /// The task that it waits for.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// What the task has become; `None` if nobody will tell.
    pub(crate) async fn end(&mut self) -> Option<TaskStatus> {
        (&mut self.woken).await.ok()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        self.woken.close();
        self.waiters.leave(self.task);
    }
}
