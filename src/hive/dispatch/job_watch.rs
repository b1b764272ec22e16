//! The state machine of one job in flight, fed by keyspace events and by checks.
//!
//! Events are newer than the check that was under way when they arrived. A job that Redis does not know counts as
//! gone only after a while: its worker may claim it again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::hive::dispatch::job_status::{JobState, JobStatus};
use crate::models::Timestamp;

/// One job in flight.
pub(crate) struct WatchedJob {
    pub(crate) queue: String,
    pub(crate) known: Mutex<JobView>,
    pub(crate) changed: Notify,
}

#[derive(Default)]
pub(crate) struct JobView {
    /// True once it is sent; before, there is nothing to check.
    pub(crate) is_sent: bool,
    claimed_since: Option<Instant>,
    /// When a claim was last reported.
    reported: Option<Instant>,
    /// When the job was last known to be in Redis.
    pub(crate) seen_at: Option<Instant>,
    /// Since when Redis does not know it.
    forgotten_since: Option<Instant>,
    is_forgotten_reported: bool,
    end: Option<JobUpdate>,
}

/// A change of a job in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobUpdate {
    /// A worker has claimed it.
    Started,
    /// No worker has the job; it is queued again.
    Released,
    /// It has a result.
    Finished,
    /// It has ended without a result. `had_none` if it cannot have had one for long.
    Ended { had_none: bool },
    /// Redis does not know the job; the worker that started it may still send its result.
    Forgotten,
    /// Nothing of the job is left, not even a result.
    Gone,
    /// Its worker has had it for longer than the timeout allows.
    Silent,
}

/// The state of a job in Redis, as `look.lua` answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedisState {
    Finished,
    /// A worker without a heartbeat has claimed it.
    Claimed,
    /// A worker has claimed it and extends its claim.
    Kept,
    Queued,
    /// A worker has ended it, and there is no result.
    Ended,
    /// Redis knows nothing of it.
    Gone,
}

/// An ended job that was in Redis within this time cannot have had a result for long.
const PROMPT: Duration = Duration::from_secs(2);
/// How long an unknown job is still checked before it counts as gone: a worker that was disconnected claims the jobs
/// that it runs again.
pub(crate) const RECLAIMED_WITHIN: Duration = Duration::from_secs(2);

/// A check of jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusCheck {
    /// When the check began; later events are newer than its findings.
    pub(crate) began: Instant,
    /// How long a worker without a heartbeat may have a job.
    pub(crate) patience: Duration,
}

impl WatchedJob {
    pub(crate) fn known(&self) -> MutexGuard<'_, JobView> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn status(&self, id: &str) -> JobStatus {
        let known = self.known();
        let (state, since) = match (known.forgotten_since, known.claimed_since) {
            _ if !known.is_sent => (JobState::Sending, None),
            (Some(since), _) => (JobState::Forgotten, Some(since)),
            (None, Some(since)) => (JobState::Taken, Some(since)),
            (None, None) => (JobState::Queued, None),
        };
        JobStatus {
            job_id: id.to_owned(),
            queue: self.queue.clone(),
            state,
            since: since.map(|since| Timestamp::now().before(since.elapsed())),
        }
    }

    /// Returns true while the job's end is unknown.
    pub(crate) fn is_open(&self) -> bool {
        self.known().end.is_none()
    }

    /// Returns true if Redis does not know the job and no worker is known to have started it: a check soon confirms
    /// that.
    pub(crate) fn is_to_be_confirmed(&self) -> bool {
        let known = self.known();
        known.end.is_none() && known.forgotten_since.is_some() && known.claimed_since.is_none()
    }

    /// Applies the state that an event or a check reports.
    pub(crate) fn on_event(&self, standing: RedisState, check: Option<StatusCheck>) {
        let mut known = self.known();
        let seen_before = known.seen_at;
        if !matches!(standing, RedisState::Gone | RedisState::Ended) {
            known.seen_at = Some(Instant::now());
            known.forgotten_since = None;
            known.is_forgotten_reported = false;
        }
        match standing {
            RedisState::Finished => known.end = Some(JobUpdate::Finished),
            RedisState::Ended => {
                let is_prompt = |at: Instant| at.elapsed() <= PROMPT;
                let had_none = seen_before.is_some_and(is_prompt);
                known.end = Some(JobUpdate::Ended { had_none });
            }
            RedisState::Gone => known.miss(check),
            RedisState::Queued => {
                let is_older =
                    |check: StatusCheck| known.claimed_since.is_some_and(|at| at > check.began);
                if !check.is_some_and(is_older) {
                    known.claimed_since = None;
                }
            }
            RedisState::Claimed | RedisState::Kept => {
                let now = Instant::now();
                // An event means a new claim; a check may find the old one.
                if check.is_none() || known.claimed_since.is_none() {
                    known.claimed_since = Some(now);
                }
                let since = known.claimed_since.unwrap_or(now);
                let is_silent = |check: StatusCheck| now.duration_since(since) > check.patience;
                if standing == RedisState::Claimed && check.is_some_and(is_silent) {
                    known.end = Some(JobUpdate::Silent);
                }
            }
        }
        let has_update = known.has_update();
        drop(known);
        // A check without a change wakes nobody: there may be very many jobs.
        if has_update {
            self.changed.notify_one();
        }
    }

    pub(crate) fn next_update(&self) -> Option<JobUpdate> {
        let mut known = self.known();
        if known.end.is_none() && known.reported != known.claimed_since {
            known.reported = known.claimed_since;
            return Some(match known.reported {
                Some(_) => JobUpdate::Started,
                None => JobUpdate::Released,
            });
        }
        if known.end.is_none() && known.is_forgotten_unreported() {
            known.is_forgotten_reported = true;
            return Some(JobUpdate::Forgotten);
        }
        known.end.take()
    }
}

impl JobView {
    /// Handles a check that did not find the job. A worker that has started it keeps the time that a job may take.
    fn miss(&mut self, check: Option<StatusCheck>) {
        let Some(check) = check else {
            return;
        };
        let since = *self.forgotten_since.get_or_insert(check.began);
        let patience = match self.claimed_since {
            Some(_) => check.patience.max(RECLAIMED_WITHIN),
            None => RECLAIMED_WITHIN,
        };
        if check.began.duration_since(since) >= patience {
            self.end = Some(JobUpdate::Gone);
        }
    }

    fn is_forgotten_unreported(&self) -> bool {
        let may_come_back = self.forgotten_since.is_some() && self.claimed_since.is_some();
        may_come_back && !self.is_forgotten_reported
    }

    fn has_update(&self) -> bool {
        self.end.is_some() || self.reported != self.claimed_since || self.is_forgotten_unreported()
    }
}
