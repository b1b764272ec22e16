//! `CompletionWaiters`: the callers that wait for the end of a task's attempt. The Writer wakes them once it is on disk.
//!
//! A waiter costs one map entry and does not poll.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::models::{EventType, TaskId, TaskStatus};
use crate::state::journal::entry::JournalEntry;

/// The waiters by task. A waiter registers first and reads the task afterwards, so that it misses no end.
#[derive(Clone, Default)]
pub(crate) struct CompletionWaiters(Arc<Mutex<HashMap<TaskId, Vec<oneshot::Sender<TaskStatus>>>>>);

/// A registered waiter; dropping it removes it.
pub(crate) struct Waiter {
    waiters: CompletionWaiters,
    task: TaskId,
    woken: oneshot::Receiver<TaskStatus>,
}

impl CompletionWaiters {
    /// Registers a waiter for the end of an attempt of the task.
    pub(crate) fn wait_for(&self, task: TaskId) -> Waiter {
        let (sender, woken) = oneshot::channel();
        let mut waiters = self.lock();
        waiters.entry(task).or_default().push(sender);
        Waiter {
            waiters: self.clone(),
            task,
            woken,
        }
    }

    /// Removes the waiters of the task that have been dropped.
    fn leave(&self, task: TaskId) {
        let mut waiters = self.lock();
        if let Some(senders) = waiters.get_mut(&task) {
            senders.retain(|sender| !sender.is_closed());
            if senders.is_empty() {
                waiters.remove(&task);
            }
        }
    }

    /// Returns the tasks whose attempts end with these journal entries; none if nobody waits for any task. Whoever
    /// registers later finds the end in the database.
    pub(crate) fn ended(&self, rows: &[JournalEntry]) -> Vec<(TaskId, TaskStatus)> {
        let is_empty = self.lock().is_empty();
        let rows = rows.iter().filter(|_| !is_empty);
        rows.filter_map(|row| {
            let status = match row.kind {
                EventType::TaskCompleted => TaskStatus::Completed,
                EventType::TaskFailed | EventType::TaskAborted => TaskStatus::Failed,
                EventType::TaskRetrying => TaskStatus::Pending,
                _ => return None,
            };
            Some((row.task_id?, status))
        })
        .collect()
    }

    /// Wakes the waiters of these tasks.
    pub(crate) fn wake(&self, ended: Vec<(TaskId, TaskStatus)>) {
        if ended.is_empty() {
            return;
        }
        let mut waiters = self.lock();
        for (task, status) in ended {
            for sender in waiters.remove(&task).into_iter().flatten() {
                let _ = sender.send(status);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<TaskId, Vec<oneshot::Sender<TaskStatus>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiter {
    /// The task whose end it waits for.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// The status of the task after the end of the attempt; `None` if the Writer is gone.
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
