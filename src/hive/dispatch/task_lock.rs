//! One lock for each task's job. Either the attempt that follows the job holds it, or whoever cancels the job of an
//! earlier attempt, so that nobody cancels a job that an attempt has just taken over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::models::TaskId;

/// The tasks whose job is locked.
#[derive(Clone, Default)]
pub(crate) struct TaskLocks(Arc<LockedTasks>);

#[derive(Default)]
struct LockedTasks {
    locked: Mutex<HashSet<TaskId>>,
    unlocked: Notify,
}

/// Locks one task's job for as long as this lives.
pub(crate) struct TaskLock {
    locks: TaskLocks,
    task: TaskId,
}

impl TaskLocks {
    /// Locks this task's job, or returns `None` if it is locked.
    pub(crate) fn try_lock(&self, task: TaskId) -> Option<TaskLock> {
        self.locked().insert(task).then(|| TaskLock {
            locks: self.clone(),
            task,
        })
    }

    /// Waits until this task's job is free, and locks it.
    pub(crate) async fn lock(&self, task: TaskId) -> TaskLock {
        loop {
            // Before the test, so that an unlock in between is not missed.
            let unlocked = self.0.unlocked.notified();
            if let Some(lock) = self.try_lock(task) {
                return lock;
            }
            unlocked.await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.0.locked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskLock {
    /// Returns the locked task.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }
}

impl Drop for TaskLock {
    fn drop(&mut self) {
        self.locks.locked().remove(&self.task);
        self.locks.0.unlocked.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_turn_is_taken_by_one_at_a_time() {
        let locks = TaskLocks::default();
        let [one, other] = [1, 2].map(TaskId::from_u128);
        let lock = locks.try_lock(one).expect("a free turn");
        assert!(locks.try_lock(one).is_none());
        assert!(locks.try_lock(other).is_some());
        let mut waiting = Box::pin(locks.lock(one));
        assert!((&mut waiting).now_or_never().is_none());
        drop(lock);
        let lock = waiting.now_or_never().expect("a free turn");
        assert_eq!(lock.task(), one);
        assert!(locks.try_lock(one).is_none());
    }
}
