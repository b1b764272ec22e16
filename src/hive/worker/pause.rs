//! The pauses in force on this worker.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::hive::cluster::command::{PauseCommand, ResumeCommand};
use crate::models::Timestamp;

/// How long a job is deferred whose processor is paused without an end.
const PUT_OFF: Duration = Duration::from_secs(5);

/// The pauses in force.
#[derive(Default)]
pub(crate) struct Pauses {
    held: Mutex<HeldClaim>,
    changed: Notify,
}

/// Each with its end; `None` means a pause without one.
#[derive(Default)]
struct HeldClaim {
    worker: Option<Option<Timestamp>>,
    /// True once the command that was in force before this worker joined has run.
    is_settled: bool,
    is_stopped: bool,
    processors: HashMap<String, Option<Timestamp>>,
}

impl Pauses {
    /// Pauses the whole worker or one processor. An emergency stop stays in force.
    pub(crate) fn pause(&self, pause: PauseCommand) {
        let mut held = self.held();
        match pause.processor {
            None if held.is_stopped => {}
            None => held.worker = Some(pause.until),
            Some(name) => drop(held.processors.insert(name, pause.until)),
        }
        self.changed.notify_one();
    }

    /// Pauses the whole worker until a resume.
    pub(crate) fn stop(&self) {
        let mut held = self.held();
        held.worker = Some(None);
        held.is_stopped = true;
        self.changed.notify_one();
    }

    /// Ends a pause.
    pub(crate) fn resume(&self, resume: ResumeCommand) {
        match resume.processor {
            None => {
                let mut held = self.held();
                held.worker = None;
                held.is_stopped = false;
            }
            Some(name) => drop(self.held().processors.remove(&name)),
        }
        self.changed.notify_one();
    }

    /// Lets jobs start: the command that was in force before this worker joined has run.
    pub(crate) fn become_ready(&self) {
        self.held().is_settled = true;
        self.changed.notify_one();
    }

    /// Returns true if the whole worker is paused.
    pub(crate) fn is_paused(&self) -> bool {
        holds(self.held().worker)
    }

    /// Resolves when the worker may start jobs. Supports a single waiter.
    pub(crate) async fn over(&self) {
        loop {
            let until = {
                let held = self.held();
                match held.worker {
                    Some(until) if holds(Some(until)) => until,
                    _ if held.is_settled => return,
                    _ => None,
                }
            };
            let left = until.map_or(Duration::MAX, Timestamp::from_now);
            let _ = timeout(left, self.changed.notified()).await;
        }
    }

    /// Returns until when a job of this processor is deferred; `None` without a pause.
    pub(crate) fn put_off(&self, processor: &str) -> Option<Timestamp> {
        let mut held = self.held();
        let until = *held.processors.get(processor)?;
        if holds(Some(until)) {
            return Some(until.unwrap_or_else(|| Timestamp::now().after(PUT_OFF)));
        }
        held.processors.remove(processor);
        None
    }

    fn held(&self) -> MutexGuard<'_, HeldClaim> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn holds(pause: Option<Option<Timestamp>>) -> bool {
    pause.is_some_and(|until| until.is_none_or(|until| until > Timestamp::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(processor: Option<&str>, seconds: Option<u64>) -> PauseCommand {
        PauseCommand {
            processor: processor.map(str::to_owned),
            until: seconds.map(|seconds| Timestamp::now().after(Duration::from_secs(seconds))),
            reason: None,
        }
    }

    #[tokio::test]
    async fn a_pause_of_the_worker_holds_until_it_is_resumed_or_over() {
        let pauses = Pauses::default();
        let become_ready = async { pauses.become_ready() };
        tokio::join!(pauses.over(), become_ready);
        pauses.pause(of(None, None));
        assert!(pauses.is_paused());
        let resume = async { pauses.resume(ResumeCommand::default()) };
        tokio::join!(pauses.over(), resume);
        assert!(!pauses.is_paused());
        pauses.pause(of(None, Some(0)));
        pauses.over().await;
        assert!(!pauses.is_paused());
        pauses.stop();
        pauses.pause(of(None, Some(0)));
        assert!(pauses.is_paused());
    }

    #[test]
    fn one_processor_is_put_off_and_no_other() {
        let pauses = Pauses::default();
        pauses.pause(of(Some("a"), Some(100)));
        pauses.pause(of(Some("b"), None));
        pauses.pause(of(Some("c"), Some(0)));
        let soon = Timestamp::now().after(Duration::from_secs(50));
        assert!(pauses.put_off("a").is_some_and(|until| until > soon));
        assert!(pauses.put_off("b").is_some_and(|until| until < soon));
        assert_eq!((pauses.put_off("c"), pauses.put_off("d")), (None, None));
        assert!(!pauses.is_paused());
        pauses.resume(ResumeCommand {
            processor: Some("b".to_owned()),
        });
        assert_eq!(pauses.put_off("b"), None);
    }
}
