//! What is known of one job that is in flight: a state machine fed by keyspace events and by checks.
//!
//! Events are newer than the check that was under way when they came. A job that Redis does not know counts as gone
//! only after a while: its worker may claim it again.

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
    /// Before it is sent there is nothing to look at.
    pub(crate) is_sent: bool,
    claimed_since: Option<Instant>,
    /// The claim that was last reported.
    reported: Option<Instant>,
    /// When it was last known to be in Redis.
    pub(crate) seen_at: Option<Instant>,
    /// Since when Redis does not know it.
    forgotten_since: Option<Instant>,
    is_forgotten_reported: bool,
    end: Option<JobUpdate>,
}

/// What changes for a job in flight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobUpdate {
    /// A worker has claimed it.
    Started,
    /// No worker has it any more; it waits in its queue again.
    Released,
    /// It has a result.
    Finished,
    /// It has ended and has no result. `had_none` if it cannot have had one for long.
    Ended { had_none: bool },
    /// Redis knows nothing of it any more; the worker that has begun it may still send its result.
    Forgotten,
    /// Nothing is left of it, not even a result.
    Gone,
    /// Its worker has had it for longer than one may.
    Silent,
}

/// The state of a job in Redis, as `look.lua` answers it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RedisState {
    Finished,
    /// A worker that gives no sign of life has it.
    Claimed,
    /// A worker has it that extends its claim as long as it lives.
    Kept,
    Queued,
    /// A worker has ended it, and there is no result.
    Ended,
    /// Redis knows nothing of it.
    Gone,
}

/// How long ago a job was in Redis that has ended and cannot have had a result for long.
const PROMPT: Duration = Duration::from_secs(2);
/// How long a job is looked for that Redis does not know, before it counts as gone: a worker that was not heard of
/// claims what it runs again.
pub(crate) const RECLAIMED_WITHIN: Duration = Duration::from_secs(2);

/// A look at jobs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusCheck {
    /// What has been heard since is newer than what it finds.
    pub(crate) began: Instant,
    /// How long a worker that gives no sign of life may have a job.
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

    /// Whether its end is not known yet.
    pub(crate) fn is_open(&self) -> bool {
        self.known().end.is_none()
    }

    /// Whether Redis does not know it and no worker is known to have begun it: that may be told soon.
    pub(crate) fn is_to_be_confirmed(&self) -> bool {
        let known = self.known();
        known.end.is_none() && known.forgotten_since.is_some() && known.claimed_since.is_none()
    }

    /// By an event, or by a look.
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
                // An event is a new claim; a look may only find the old one.
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
        // A check that finds nothing new wakes no one: there may be very many jobs.
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
    /// A look has found nothing of it. A worker that has begun it gets the time that one may have a job for.
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
