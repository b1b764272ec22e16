//! The running attempts: how to stop them, and the commands that wait for their end.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::models::{Attempt, TaskId};
use crate::queue::StopReason;

/// The running attempts, by task.
#[derive(Default)]
pub(crate) struct RunningAttempts {
    entries: HashMap<TaskId, RunningEntry>,
    /// The number of attempts that outside workers have leased.
    leased: usize,
    /// Unanswered commands to stop everything.
    stop_all_waiters: Vec<StopAllWaiter>,
}

struct RunningEntry {
    attempt: Attempt,
    /// True if its work runs elsewhere and continues without the service.
    is_remote: bool,
    /// True if an outside worker has leased it.
    is_leased: bool,
    signal: StopSignal,
    waiting: Vec<oneshot::Sender<bool>>,
}

struct StopAllWaiter {
    reason: StopReason,
    /// The attempts it waits for: not those that start later, after a resume.
    left: HashSet<Attempt>,
    stopped: u64,
    reply: oneshot::Sender<u64>,
}

/// Stops an executor and names the reason.
#[derive(Clone, Default)]
pub(crate) struct StopSignal {
    pub(crate) token: CancellationToken,
    command: Arc<OnceLock<Stop>>,
}

/// Why an attempt has to stop, and the actor who asked for it, if known.
struct Stop {
    reason: StopReason,
    actor: Option<Arc<str>>,
}

/// An attempt that has ended, or that the service has left.
pub(crate) struct FinishedAttempt {
    pub(crate) attempt: Attempt,
    /// Set if a stop decided the outcome.
    pub(crate) stopped_by: Option<StopReason>,
    /// True if an outside worker continues it while the service is down: there is no outcome.
    pub(crate) goes_on: bool,
}

impl StopSignal {
    /// Returns why the attempt has to stop; the first reason counts.
    pub(crate) fn reason(&self) -> Option<StopReason> {
        self.command.get().map(|stop| stop.reason)
    }

    /// Returns the actor who asked for that stop.
    pub(crate) fn actor(&self) -> Option<Arc<str>> {
        self.command.get().and_then(|stop| stop.actor.clone())
    }

    fn stop(&self, reason: StopReason, actor: Option<Arc<str>>) {
        let _ = self.command.set(Stop { reason, actor });
        self.token.cancel();
    }
}

impl RunningAttempts {
    pub(crate) fn add(&mut self, attempt: Attempt, is_remote: bool, is_leased: bool) -> StopSignal {
        let signal = StopSignal::default();
        let entry = RunningEntry {
            attempt,
            is_remote,
            is_leased,
            signal: signal.clone(),
            waiting: Vec::new(),
        };
        let earlier = self.entries.insert(attempt.task_id, entry);
        self.leased += usize::from(is_leased);
        self.leased -= usize::from(earlier.is_some_and(|earlier| earlier.is_leased));
        signal
    }

    /// Returns the number of attempts that outside workers have leased.
    pub(crate) fn leased(&self) -> usize {
        self.leased
    }

    /// Stops this task's attempt; returns false if there is none.
    pub(crate) fn abort(&mut self, id: TaskId, actor: Option<Arc<str>>) -> bool {
        let Some(entry) = self.entries.get(&id) else {
            return false;
        };
        entry.signal.stop(StopReason::Abort, actor);
        true
    }

    pub(crate) fn stop_all(&mut self, reason: StopReason) {
        for entry in self.entries.values() {
            entry.signal.stop(reason, None);
        }
    }

    /// Stops the attempts whose work runs elsewhere.
    pub(crate) fn stop_remote(&mut self, reason: StopReason) {
        for entry in self.entries.values().filter(|entry| entry.is_remote) {
            entry.signal.stop(reason, None);
        }
    }

    /// Answers, when the attempt has ended, whether it was aborted (or had just ended by itself).
    pub(crate) fn answer_when_ended(&mut self, id: TaskId, reply: oneshot::Sender<bool>) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.waiting.push(reply);
        }
    }

    /// Answers, when all currently running attempts have ended, how many of them `reason` stopped.
    pub(crate) fn answer_when_empty(&mut self, reason: StopReason, reply: oneshot::Sender<u64>) {
        let waiter = StopAllWaiter {
            reason,
            left: self.entries.values().map(|entry| entry.attempt).collect(),
            stopped: 0,
            reply,
        };
        self.stop_all_waiters.push(waiter);
        self.answer_stop_all();
    }

    /// Removes an attempt that has ended and answers the commands that waited for it.
    pub(crate) fn remove(&mut self, ended: FinishedAttempt) {
        let id = ended.attempt.task_id;
        // A later attempt may have started, if another program has changed the row meanwhile.
        let is_this = |entry: &RunningEntry| entry.attempt == ended.attempt;
        if self.entries.get(&id).is_some_and(is_this)
            && let Some(entry) = self.entries.remove(&id)
        {
            self.leased -= usize::from(entry.is_leased);
            for reply in entry.waiting {
                let _ = reply.send(ended.stopped_by == Some(StopReason::Abort));
            }
        }
        for waiter in &mut self.stop_all_waiters {
            if waiter.left.remove(&ended.attempt) {
                waiter.stopped += u64::from(ended.stopped_by == Some(waiter.reason));
            }
        }
        self.answer_stop_all();
    }

    fn answer_stop_all(&mut self) {
        for index in (0..self.stop_all_waiters.len()).rev() {
            if self.stop_all_waiters[index].left.is_empty() {
                let waiter = self.stop_all_waiters.swap_remove(index);
                let _ = waiter.reply.send(waiter.stopped);
            }
        }
    }
}
