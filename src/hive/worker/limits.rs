//! When a claimed job may start: the `concurrency` and `rate` of its processor, first come, first served.
//!
//! A queued job keeps its claim and its slot of `--max-jobs`, and its timeout has not begun. ARQ's queue does not say
//! whose jobs it holds, so a worker must move the jobs of a busy processor aside to find those of others. Only half
//! of the worker's slots are for waiting jobs; any further job returns to its queue for a short time. That time grows
//! with the time for which the processor has started nothing: a fast one sees its jobs again at once, a slow one
//! costs little. The price: a returned job may be overtaken by later ones of the same processor.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::hive::worker::processor_limit::{Admission, ProcessorLimit, Waker};
use crate::models::{Clock, Reading, Timestamp};
use crate::state::Limit;

/// A clock adjustment of less than this delays no job noticeably.
const STEP_SECONDS: f64 = 0.5;
/// The limits of all processors of one worker.
pub(crate) struct ProcessorLimits {
    /// The maximum number of waiting jobs.
    most_waiting: usize,
    closed: CancellationToken,
    limits: Mutex<LimitsByProcessor>,
}

/// The limits of all processors, and the clock that they use.
struct LimitsByProcessor {
    by_processor: HashMap<String, ProcessorLimit>,
    clock: Clock,
}

/// The reply to a job that wants to start.
pub(crate) enum LimitDecision<'a> {
    /// The job starts; it holds its slot while this lives.
    Open(RunPermit<'a>),
    /// There is no slot to wait in: return the job to its queue until then.
    Full(Timestamp),
    /// The job was stopped while it waited.
    Stopped,
    /// The worker is stopping and starts no jobs.
    Closed,
}

/// Permission to run a job of a processor, released when dropped.
pub(crate) struct RunPermit<'a> {
    limits: &'a ProcessorLimits,
    processor: &'a str,
}

impl ProcessorLimits {
    /// Creates the limits of the processors of these settings, in a worker with `max_jobs` slots.
    pub(crate) fn new(settings: &Settings, max_jobs: usize) -> Self {
        let limits = settings.processors.iter().map(|(name, processor)| {
            let limit_rule = Limit {
                concurrency: processor.concurrency,
                rate: processor.rate,
            };
            (name.clone(), ProcessorLimit::new(limit_rule))
        });
        Self {
            most_waiting: max_jobs / 2,
            closed: CancellationToken::new(),
            limits: Mutex::new(LimitsByProcessor {
                by_processor: limits.collect(),
                clock: Clock::trusted(Reading::now()),
            }),
        }
    }

    /// Waits until a job of this processor may start, or until `stop`.
    pub(crate) async fn enter<'a>(
        &'a self,
        processor: &'a str,
        stop: &CancellationToken,
    ) -> LimitDecision<'a> {
        let waiting = Waiting {
            limits: self,
            processor,
            waker: Waker::default(),
        };
        loop {
            if self.closed.is_cancelled() {
                return LimitDecision::Closed;
            }
            let until = match self.ask(processor, &waiting.waker) {
                Admission::Start => {
                    return LimitDecision::Open(RunPermit {
                        limits: self,
                        processor,
                    });
                }
                Admission::PutBack(until) => return LimitDecision::Full(until),
                Admission::Wait(until) => until,
            };
            let pause = until.map(Timestamp::from_now);
            tokio::select! {
                biased;
                () = self.closed.cancelled() => return LimitDecision::Closed,
                () = stop.cancelled() => return LimitDecision::Stopped,
                () = waiting.waker.notified() => {}
                () = sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Defers this processor's jobs until then; its waiting jobs return to their queue.
    pub(crate) fn hold(&self, processor: &str, until: Timestamp) {
        if let Some(limit) = self.limits().by_processor.get_mut(processor) {
            limit.held_until = Some(until);
            for waker in &limit.queue {
                waker.notify_one();
            }
        }
    }

    /// Refuses all jobs from now on and ends all waiting.
    pub(crate) fn close(&self) {
        self.closed.cancel();
    }

    fn ask(&self, processor: &str, waker: &Waker) -> Admission {
        let mut limits = self.limits();
        let Reading { time, instant } = Reading::now();
        let moved = limits.clock.moved(time, instant);
        let limits = &mut limits.by_processor;
        if moved.abs() >= STEP_SECONDS {
            limits.values_mut().for_each(|limit| limit.shift(moved));
        }
        let waiting: usize = limits.values().map(|limit| limit.queue.len()).sum();
        let limit = limits.entry(processor.to_owned()).or_default();
        limit.ask(waker, waiting < self.most_waiting, time)
    }

    fn limits(&self) -> MutexGuard<'_, LimitsByProcessor> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job's entry in the line of a processor while it waits.
struct Waiting<'a> {
    limits: &'a ProcessorLimits,
    processor: &'a str,
    waker: Waker,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(limit) = self.limits.limits().by_processor.get_mut(self.processor) {
            limit.leave_queue(&self.waker);
        }
    }
}

impl Drop for RunPermit<'_> {
    fn drop(&mut self) {
        if let Some(limit) = self.limits.limits().by_processor.get_mut(self.processor) {
            limit.running -= 1;
            limit.wake_next();
        }
    }
}

#[cfg(test)]
mod tests;
