//! The `concurrency` and `rate` of one processor, and the jobs that wait for them. Pure: the caller passes the time.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use crate::models::Timestamp;
use crate::state::{Limit, SlidingWindow};

/// The shortest and the longest time for which a job returns to its queue.
const SHORT: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(5);

/// The limits of one processor, and the jobs under them.
#[derive(Default)]
pub(crate) struct ProcessorLimit {
    pub(crate) limit_rule: Limit,
    pub(crate) running: u64,
    pub(crate) starts: SlidingWindow,
    pub(crate) last_start: Option<Timestamp>,
    /// No job starts until then: the service behind the processor asked for that.
    pub(crate) held_until: Option<Timestamp>,
    pub(crate) queue: VecDeque<Waker>,
}

/// Wakes one waiting job, and identifies it.
pub(crate) type Waker = Arc<Notify>;

/// The reply to a job that wants to start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    Start,
    /// Wait in line; the first in line also until this time.
    Wait(Option<Timestamp>),
    /// There is no slot to wait in: come back at this time.
    PutBack(Timestamp),
}

/// The limit that keeps jobs from starting.
enum LimitReached {
    Paused(Timestamp),
    Concurrency,
    Rate(Timestamp),
}

impl ProcessorLimit {
    pub(crate) fn new(limit_rule: Limit) -> Self {
        Self {
            limit_rule,
            ..Self::default()
        }
    }

    /// Decides on a job that arrives, or that asks again from its place in line; `has_room` if one more may wait.
    pub(crate) fn ask(&mut self, waker: &Waker, has_room: bool, now: Timestamp) -> Admission {
        let place = self
            .queue
            .iter()
            .position(|other| Arc::ptr_eq(other, waker));
        let is_next = place.map_or(self.queue.is_empty(), |place| place == 0);
        let reached = self.reached(now);
        match (&reached, place) {
            (Some(LimitReached::Paused(until)), _) => {
                self.leave_queue(waker);
                return Admission::PutBack(*until);
            }
            (None, _) if is_next => {
                self.start(now);
                self.leave_queue(waker);
                return Admission::Start;
            }
            (_, Some(_)) => {}
            (_, None) if has_room => self.queue.push_back(Arc::clone(waker)),
            (_, None) => return Admission::PutBack(self.put_back_until(reached, now)),
        }
        match reached {
            Some(LimitReached::Rate(until)) if is_next => Admission::Wait(Some(until)),
            _ => Admission::Wait(None),
        }
    }

    fn reached(&self, now: Timestamp) -> Option<LimitReached> {
        let held = self.held_until.filter(|until| *until > now);
        let is_busy = || {
            let limit = self.limit_rule.concurrency;
            limit.is_some_and(|limit| self.running >= limit)
        };
        let token_at = || self.starts.frees_at(now, self.limit_rule.rate?);
        held.map(LimitReached::Paused)
            .or_else(|| is_busy().then_some(LimitReached::Concurrency))
            .or_else(|| token_at().map(LimitReached::Rate))
    }

    /// Shifts all times after a clock step, so that starts stay as long ago and a hold stays as long.
    pub(crate) fn shift(&mut self, seconds: f64) {
        self.starts.shift(seconds);
        for time in [&mut self.last_start, &mut self.held_until]
            .into_iter()
            .flatten()
        {
            *time = time.shifted(seconds);
        }
    }

    fn start(&mut self, now: Timestamp) {
        self.running += 1;
        self.last_start = Some(now);
        if let Some(rate) = self.limit_rule.rate {
            self.starts.record(now, rate);
        }
    }

    /// Returns when a job that cannot wait here may come again.
    fn put_back_until(&self, reached: Option<LimitReached>, now: Timestamp) -> Timestamp {
        let seconds = match (reached, self.last_start) {
            (Some(LimitReached::Rate(until)), _) => until.seconds_since(now),
            (_, Some(start)) => now.seconds_since(start),
            (_, None) => 0.0,
        };
        let pause = Duration::try_from_secs_f64(seconds).unwrap_or_default();
        now.after(pause.clamp(SHORT, LONG))
    }

    pub(crate) fn leave_queue(&mut self, waker: &Waker) {
        self.queue.retain(|other| !Arc::ptr_eq(other, waker));
        self.wake_next();
    }

    pub(crate) fn wake_next(&self) {
        if let Some(waker) = self.queue.front() {
            waker.notify_one();
        }
    }
}
