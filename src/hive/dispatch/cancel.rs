//! Cancels the job of a task: removes it from its queue, or has its worker abort it and waits for the end.
//!
//! What cannot be cancelled because Redis is unreachable stays pending, until the orphan reaper or the task's next
//! attempt does it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisError;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::hive::dispatch::in_flight::{InFlight, JobHandle};
use crate::hive::dispatch::job_watch::JobUpdate;
use crate::hive::dispatch::scripts;
use crate::hive::dispatch::task_lock::TaskLock;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys;
use crate::models::TaskId;

/// How long a worker may take to end an aborted job: less than the executor waits.
const ABORT_PATIENCE: Duration = Duration::from_secs(8);
/// How long the removal of a job that did not end may take.
const FORGET_PATIENCE: Duration = Duration::from_secs(1);
/// The number of bytes of a current job's name that are read.
const NAME_LIMIT: isize = 1000;

/// Cancels jobs and remembers those that could not be cancelled.
pub(crate) struct Canceller {
    line: RedisHandle,
    in_flight: InFlight,
    /// Tasks whose current job is still to be cancelled, because Redis was unreachable.
    pending: Mutex<HashSet<TaskId>>,
    reap: Arc<Notify>,
}

/// A job that an attempt has sent, or continues with.
pub(crate) struct SentJob {
    pub(crate) id: String,
    pub(crate) queue: String,
}

/// Why a job may still run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CancelError {
    #[error("its worker did not stop it in time, or does not allow aborts (allow_abort_jobs)")]
    Deaf,
    #[error("Redis is unreachable; the job is cancelled as soon as Redis is back")]
    Away,
    #[error("Redis refused a command: {0}")]
    Refused(RedisError),
}

/// How far a cancellation has got.
#[derive(Default)]
struct CancelProgress {
    job: Option<JobHandle>,
    is_told: bool,
}

impl Canceller {
    /// Creates a canceller that wakes the orphan reaper by `reap` when a cancellation stays pending.
    pub(crate) fn new(line: RedisHandle, in_flight: InFlight, reap: Arc<Notify>) -> Self {
        Self {
            line,
            in_flight,
            pending: Mutex::default(),
            reap,
        }
    }

    /// Cancels the current job of the locked task, or the job `sent` if Redis names none; returns whether there is
    /// one. A cancellation that fails because Redis is unreachable stays pending.
    ///
    /// # Errors
    /// Why the job may still run.
    pub(crate) async fn cancel(
        &self,
        lock: &TaskLock,
        sent: Option<&SentJob>,
    ) -> Result<bool, CancelError> {
        let task = lock.task();
        let ended = self.try_to_end(task, sent).await;
        if matches!(ended, Err(CancelError::Away)) {
            self.pending().insert(task);
            self.reap.notify_one();
        } else {
            self.pending().remove(&task);
        }
        ended
    }

    /// Completes a pending cancellation of this task before its next attempt begins; the attempt would otherwise
    /// continue with that job.
    pub(crate) async fn finish_pending(&self, lock: &TaskLock) {
        while self.pending().contains(&lock.task()) {
            if let Err(error) = self.cancel(lock, None).await {
                tracing::debug!(task_id = %lock.task(), %error, "could not cancel the job of an earlier attempt");
            }
        }
    }

    /// Returns the tasks with a pending cancellation.
    pub(crate) fn all_pending(&self) -> Vec<TaskId> {
        self.pending().iter().copied().collect()
    }

    /// Resolves when the orphan reaper is asked to run.
    pub(crate) async fn reap_requested(&self) {
        self.reap.notified().await;
    }

    async fn try_to_end(&self, task: TaskId, sent: Option<&SentJob>) -> Result<bool, CancelError> {
        let mut progress = CancelProgress::default();
        let aborted = timeout(ABORT_PATIENCE, self.abort(task, sent, &mut progress)).await;
        let why = match aborted {
            Ok(Ok(())) => return Ok(progress.job.is_some()),
            Ok(Err(error)) => CancelError::Refused(error),
            Err(_) if progress.is_told => CancelError::Deaf,
            Err(_) => return Err(CancelError::Away),
        };
        if let Some(job) = &progress.job {
            // No other worker starts the job again, and no abort mark stays that would end a later job.
            let forget = scripts::forget(task, job, false);
            match timeout(FORGET_PATIENCE, self.line.ask::<()>(&forget)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => {
                    tracing::debug!(%error, "could not remove a cancelled job from Redis");
                }
                Err(_) => return Err(CancelError::Away),
            }
        }
        Err(why)
    }

    /// Removes the job from its queue, or has its worker abort it and waits for the end.
    async fn abort(
        &self,
        task: TaskId,
        sent: Option<&SentJob>,
        progress: &mut CancelProgress,
    ) -> Result<(), RedisError> {
        progress.job = self.current(task, sent).await?;
        let Some(job) = &progress.job else {
            return Ok(());
        };
        let is_gone: bool = self.line.ask(&scripts::abort(task, job)).await?;
        progress.is_told = true;
        if is_gone {
            return Ok(());
        }
        self.in_flight.check_soon(job.id());
        while !matches!(
            job.news().await,
            JobUpdate::Finished | JobUpdate::Ended { .. } | JobUpdate::Gone
        ) {}
        // ARQ never removes an abort mark that came too late.
        self.line.ask(&scripts::forget(task, job, false)).await
    }

    /// Returns the task's current job, or the job `sent`, tracked.
    async fn current(
        &self,
        task: TaskId,
        sent: Option<&SentJob>,
    ) -> Result<Option<JobHandle>, RedisError> {
        let mut read = redis::cmd("GETRANGE");
        read.arg(keys::current(task)).arg(0).arg(NAME_LIMIT);
        let named: Vec<u8> = self.line.ask(&read).await?;
        let named = String::from_utf8_lossy(&named);
        let named = keys::named_job(task, &named);
        // An emptied Redis names no job, yet a worker may run it.
        let named = named.or_else(|| sent.map(|sent| (sent.id.as_str(), sent.queue.as_str())));
        Ok(named.map(|(id, queue)| {
            let job = self.in_flight.track(id.to_owned(), queue);
            job.was_sent();
            job
        }))
    }

    fn pending(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
