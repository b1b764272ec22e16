//! Whose turn it is with a task's job: the attempt's that follows it, or of one who ends what an earlier attempt
//! has left. Never both, so that nobody ends a job that an attempt has just taken over.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::models::TaskId;

/// The turns that are taken.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    taken: Mutex<HashSet<TaskId>>,
    given_back: Notify,
}

/// Nobody else has a turn with this task's job for as long as this lives.
pub(crate) struct Turn {
    turns: Turns,
    task: TaskId,
}

impl Turns {
    /// The turn with this task's job, if nobody has it.
    pub(crate) fn try_take(&self, task: TaskId) -> Option<Turn> {
        self.taken().insert(task).then(|| Turn {
            turns: self.clone(),
            task,
        })
    }

    /// The turn with this task's job, as soon as nobody has it.
    pub(crate) async fn take(&self, task: TaskId) -> Turn {
        loop {
            // Before the look, so that a turn that is given back in between is not missed.
            let given_back = self.0.given_back.notified();
            if let Some(turn) = self.try_take(task) {
                return turn;
            }
            given_back.await;
        }
    }

    fn taken(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// The task.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.turns.taken().remove(&self.task);
        self.turns.0.given_back.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_turn_is_taken_by_one_at_a_time() {
        let turns = Turns::default();
        let [one, other] = [1, 2].map(TaskId::from_u128);
        let turn = turns.try_take(one).expect("a free turn");
        assert!(turns.try_take(one).is_none());
        assert!(turns.try_take(other).is_some());
        let mut waiting = Box::pin(turns.take(one));
        assert!((&mut waiting).now_or_never().is_none());
        drop(turn);
        let turn = waiting.now_or_never().expect("a free turn");
        assert_eq!(turn.task(), one);
        assert!(turns.try_take(one).is_none());
    }
}
