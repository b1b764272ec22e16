//! The registry of this service's jobs in flight: it routes keyspace events and checks to the job that they concern.
//!
//! Redis reports each result and each claim by a keyspace event, so a job costs nothing while it is in flight, and its
//! result is known at once, however many others are. Events are lost with the connection and never report what did not
//! happen, so the job poller also checks all jobs from time to time, many in one command.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::hive::dispatch::job_status::JobStatus;
use crate::hive::dispatch::job_watch::{JobUpdate, RedisState, StatusCheck, WatchedJob};
use crate::hive::redis::keys;
use crate::models::TaskId;

/// All jobs in flight, by id.
#[derive(Clone, Default)]
pub(crate) struct InFlight(Arc<InFlightShared>);

#[derive(Default)]
struct InFlightShared {
    in_flight: Mutex<HashMap<String, Arc<WatchedJob>>>,
    wanted: Mutex<WantedChecks>,
    check: Notify,
}

/// The jobs to check soon.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct WantedChecks {
    pub(crate) all: bool,
    /// The ids of the jobs.
    pub(crate) jobs: Vec<String>,
}

/// A job that counts as in flight while this lives.
pub(crate) struct JobHandle {
    in_flight: InFlight,
    id: String,
    watched: Arc<WatchedJob>,
}

impl InFlight {
    /// Tracks this job of this queue until the handle is dropped.
    pub(crate) fn track(&self, id: String, queue: &str) -> JobHandle {
        let watched = Arc::new(WatchedJob {
            queue: queue.to_owned(),
            known: Mutex::default(),
            changed: Notify::new(),
        });
        self.in_flight().insert(id.clone(), Arc::clone(&watched));
        JobHandle {
            in_flight: self.clone(),
            id,
            watched,
        }
    }

    /// Routes a keyspace event, such as `set` of the key `arq:result:ID`, to its job.
    pub(crate) fn on_event(&self, key: &str, event: &[u8]) {
        let (result, claim) = (
            key.strip_prefix(keys::RESULT),
            key.strip_prefix(keys::IN_PROGRESS),
        );
        let (id, standing) = match (result, claim, event) {
            (Some(id), _, b"set") => (id, Some(RedisState::Finished)),
            (_, Some(id), b"set") => (id, Some(RedisState::Claimed)),
            // The worker has returned the job, or has ended it without a result.
            (_, Some(id), b"del") => (id, None),
            _ => return,
        };
        let watched = self.in_flight().get(id).cloned();
        match (watched, standing) {
            (Some(watched), Some(standing)) => watched.on_event(standing, None),
            (Some(watched), None) if watched.is_open() => self.check_soon(id),
            _ => {}
        }
    }

    /// Requests a check of this job soon.
    pub(crate) fn check_soon(&self, id: &str) {
        self.wanted_jobs().jobs.push(id.to_owned());
        self.0.check.notify_one();
    }

    /// Requests a check of all jobs soon.
    pub(crate) fn check_all(&self) {
        self.wanted_jobs().all = true;
        self.0.check.notify_one();
    }

    /// Waits until a check is requested and returns the jobs to check.
    pub(crate) async fn wanted(&self) -> WantedChecks {
        self.0.check.notified().await;
        std::mem::take(&mut *self.wanted_jobs())
    }

    fn wanted_jobs(&self) -> MutexGuard<'_, WantedChecks> {
        let wanted = &self.0.wanted;
        wanted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of jobs in flight.
    pub(crate) fn count(&self) -> usize {
        self.in_flight().len()
    }

    /// Returns the ids of the wanted jobs that have been sent, by queue.
    pub(crate) fn wanted_by_queue(&self, wanted: &WantedChecks) -> HashMap<String, Vec<String>> {
        let in_flight = self.in_flight();
        let mut ids: HashMap<String, Vec<String>> = HashMap::new();
        let mut add = |id: &String, watched: &WatchedJob| {
            if !watched.known().is_sent {
                return;
            }
            match ids.get_mut(&watched.queue) {
                Some(ids) => ids.push(id.clone()),
                None => drop(ids.insert(watched.queue.clone(), vec![id.clone()])),
            }
        };
        match wanted.all {
            true => in_flight.iter().for_each(|(id, watched)| add(id, watched)),
            false => {
                let found = wanted.jobs.iter();
                let found = found.filter_map(|id| Some((id, in_flight.get(id)?)));
                found.for_each(|(id, watched)| add(id, watched));
            }
        }
        ids
    }

    /// Returns the status of this attempt's job, or of the earlier attempt's job that it continues with.
    pub(crate) fn status_of(&self, task: TaskId, attempt: i64) -> Option<JobStatus> {
        let in_flight = self.in_flight();
        let own = keys::job_id(task, attempt);
        let found = in_flight.get_key_value(&own);
        let prefix = keys::job_prefix(task);
        let other = || in_flight.iter().find(|(id, _)| id.starts_with(&prefix));
        let (id, watched) = found
            .filter(|(_, watched)| watched.known().is_sent)
            .or_else(other)?;
        Some(watched.status(id))
    }

    /// Applies the result of a check; returns true if the job must be checked again soon.
    pub(crate) fn apply_check(&self, id: &str, standing: RedisState, check: StatusCheck) -> bool {
        let watched = self.in_flight().get(id).cloned();
        watched.is_some_and(|watched| {
            watched.on_event(standing, Some(check));
            watched.is_to_be_confirmed()
        })
    }

    fn in_flight(&self) -> MutexGuard<'_, HashMap<String, Arc<WatchedJob>>> {
        let in_flight = &self.0.in_flight;
        in_flight.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl JobHandle {
    /// Returns the job's id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Returns the queue that the job was sent to.
    pub(crate) fn queue(&self) -> &str {
        &self.watched.queue
    }

    /// Records that the job is in Redis.
    pub(crate) fn sent(&self) {
        let mut known = self.watched.known();
        known.is_sent = true;
        known.seen_at = Some(Instant::now());
    }

    /// Records that the job was in Redis before; it may have ended long ago.
    pub(crate) fn was_sent(&self) {
        self.watched.known().is_sent = true;
    }

    /// Waits for the next update of the job.
    pub(crate) async fn news(&self) -> JobUpdate {
        loop {
            if let Some(news) = self.watched.next_update() {
                return news;
            }
            self.watched.changed.notified().await;
        }
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        let mut in_flight = self.in_flight.in_flight();
        // A later attempt may have replaced the job.
        if in_flight
            .get(&self.id)
            .is_some_and(|watched| Arc::ptr_eq(watched, &self.watched))
        {
            in_flight.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests;
