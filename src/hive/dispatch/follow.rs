//! Follows a job that is in Redis to the outcome of its attempt.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use redis::{Cmd, FromRedisValue};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use crate::hive::dispatch::cancel::{Canceller, SentJob};
use crate::hive::dispatch::in_flight::JobHandle;
use crate::hive::dispatch::job::{JobFailure, outcome};
use crate::hive::dispatch::job_watch::JobUpdate;
use crate::hive::dispatch::scripts;
use crate::hive::dispatch::task_lock::TaskLock;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys;
use crate::hive::wire::codec::Codec;
use crate::processors::{Context, Next, RunError};

/// How long Redis still names the job of a completed task.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// The largest result that is read, in bytes.
const RESULT_LIMIT: isize = 16 << 20;
/// A larger result counts as large: it is read under its own permits and decoded off the request threads.
const SMALL: usize = 64 << 10;
/// The number of small results that are read at a time.
const READ_AT_ONCE: usize = 1024;
/// The number of small results that a large one counts as.
const LARGE: u32 = (RESULT_LIMIT as usize / SMALL) as u32;
/// How much later than a worker a service may receive the same broadcast.
const COMMAND_PATIENCE: Duration = Duration::from_secs(2);

/// The error of a job that has ended and whose result no longer exists.
const EXPIRED: &str =
    "it has ended, and its result has expired or was not stored (see keep_result of the worker)";
/// The error of a job that has ended and never had a result.
const NO_RESULT: &str = "the job has ended, and its worker has stored no result, so it is unknown whether it succeeded: \
     set keep_result of the function or of the worker above 0, or expects_result = false for this processor";

/// One attempt that runs as a job in Redis.
pub(crate) struct Dispatch<'a> {
    pub(crate) context: &'a Context,
    pub(crate) lock: &'a TaskLock,
    pub(crate) queue: &'a str,
    pub(crate) codec: Codec,
    /// True if its function stores a result in Redis.
    pub(crate) expects_result: bool,
    pub(crate) sent: OnceLock<SentJob>,
}

/// Waits for the results of jobs and reads them, a bounded number at a time.
pub(crate) struct JobFollower {
    line: RedisHandle,
    canceller: Arc<Canceller>,
    reading: Semaphore,
}

impl JobFollower {
    pub(crate) fn new(line: RedisHandle, canceller: Arc<Canceller>) -> Self {
        Self {
            line,
            canceller,
            reading: Semaphore::new(READ_AT_ONCE),
        }
    }

    /// Cancels the job. Writes a line to the task's log if it may still run.
    pub(crate) async fn cancel(&self, dispatch: &Dispatch<'_>) {
        if let Err(why) = self
            .canceller
            .cancel(dispatch.lock, dispatch.sent.get())
            .await
        {
            let line = format!("The job may still run: {why}");
            dispatch.context.log(line).await;
        }
    }

    /// Waits for the job's end and logs its start.
    pub(crate) async fn follow(
        &self,
        dispatch: &Dispatch<'_>,
        job: &JobHandle,
    ) -> Result<String, JobFailure> {
        let context = dispatch.context;
        let mut ends_at = None;
        loop {
            let news = tokio::select! {
                biased;
                news = job.news() => news,
                () = sleep_until(ends_at.unwrap_or_else(Instant::now)), if ends_at.is_some() => {
                    self.cancel(dispatch).await;
                    let seconds = context.limit().unwrap_or_default().as_secs_f64();
                    let message = format!("timed out {seconds} s after a worker started it");
                    return Err(RunError::with(message, Next::TimedOut).into());
                }
            };
            match news {
                JobUpdate::Started => {
                    context.log("Started by a worker".to_owned()).await;
                    ends_at = context.limit().map(|limit| Instant::now() + limit);
                }
                JobUpdate::Released => {
                    let line = "Returned to its queue by the worker".to_owned();
                    context.log(line).await;
                    ends_at = None;
                }
                JobUpdate::Finished => {
                    if let Some(result) = self.result(dispatch, job).await? {
                        let is_aborted = matches!(result, Err(JobFailure::Aborted));
                        // An emergency stop may have reached the worker before this service: wait only
                        // for that.
                        if is_aborted {
                            sleep(COMMAND_PATIENCE).await;
                        }
                        return result;
                    }
                    // The result has expired since: none is left.
                    return self.lost(dispatch, job, false, EXPIRED).await;
                }
                JobUpdate::Ended { had_none } => {
                    return self.without_result(dispatch, job, had_none).await;
                }
                JobUpdate::Forgotten => {
                    let line = "Redis does not know the job; its worker may still send the result";
                    context.log(line.to_owned()).await;
                }
                JobUpdate::Gone => {
                    let what = "Redis has neither the job nor its result";
                    return self.lost(dispatch, job, false, what).await;
                }
                JobUpdate::Silent => {
                    // If the worker is alive after all, it must not run beside the next attempt.
                    self.cancel(dispatch).await;
                    let what =
                        "its worker sent no heartbeat for longer than hive_zombie_task_timeout";
                    return self.lost(dispatch, job, true, what).await;
                }
            }
        }
    }

    /// Returns the job's outcome; `None` if its result no longer exists.
    async fn result(
        &self,
        dispatch: &Dispatch<'_>,
        job: &JobHandle,
    ) -> Result<Option<Result<String, JobFailure>>, RunError> {
        let key = format!("{}{}", keys::RESULT, job.id());
        let start_of = |limit: isize| {
            let mut read = redis::cmd("GETRANGE");
            read.arg(&key).arg(0).arg(limit);
            read
        };
        let mut permit = self.reading.acquire().await;
        let mut bytes: Vec<u8> = self.ask(&start_of(SMALL as isize)).await?;
        if bytes.len() > SMALL {
            // Returned first: nobody waits for more permits while holding some.
            drop((permit, bytes));
            permit = self.reading.acquire_many(LARGE).await;
            bytes = self.ask(&start_of(RESULT_LIMIT)).await?;
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let codec = dispatch.codec;
        let outcome = match bytes.len() {
            0..=SMALL => outcome(&bytes, codec),
            length if length > RESULT_LIMIT as usize => {
                let message = "its result is larger than 16 MiB";
                Err(RunError::with(message, Next::GiveUp).into())
            }
            _ => {
                let read = spawn_blocking(move || outcome(&bytes, codec)).await;
                read.unwrap_or_else(|error| Err(RunError::new(error.to_string()).into()))
            }
        };
        drop(permit);
        let outcome = match outcome {
            Ok(returned) => {
                for note in returned.notes() {
                    dispatch.context.log(note.to_owned()).await;
                }
                Ok(returned.text)
            }
            Err(unsuccessful) => Err(unsuccessful),
        };
        // The outcome is known; the rest serves a service that dies before it is stored.
        let noted = match &outcome {
            Ok(_) => self.remember(dispatch).await,
            Err(_) => self.forget(dispatch, job, false).await,
        };
        if let Err(error) = noted {
            tracing::debug!(%error, "could not note a job's outcome in Redis");
        }
        Ok(Some(outcome))
    }

    /// Returns the outcome of a job that has ended without a result in Redis.
    async fn without_result(
        &self,
        dispatch: &Dispatch<'_>,
        job: &JobHandle,
        had_none: bool,
    ) -> Result<String, JobFailure> {
        if !dispatch.expects_result {
            let line = "The job has ended without a result (expects_result = false)";
            dispatch.context.log(line.to_owned()).await;
            if let Err(error) = self.remember(dispatch).await {
                tracing::debug!(error = error.message, "could not note a job's end in Redis");
            }
            return Ok(String::new());
        }
        if !had_none {
            return self.lost(dispatch, job, false, EXPIRED).await;
        }
        self.forget(dispatch, job, false).await?;
        // Another attempt would run the function again and end the same.
        Err(RunError::with(NO_RESULT, Next::GiveUp).into())
    }

    /// Keeps the job's name in Redis: if the service dies before it stores the outcome, the next attempt finds this
    /// job.
    async fn remember(&self, dispatch: &Dispatch<'_>) -> Result<(), RunError> {
        let mut remember = redis::cmd("PEXPIRE");
        remember
            .arg(keys::current(dispatch.context.task_id()))
            .arg(REMEMBERED.as_millis() as u64);
        self.ask(&remember).await
    }

    async fn lost(
        &self,
        dispatch: &Dispatch<'_>,
        job: &JobHandle,
        has_claim: bool,
        what: &str,
    ) -> Result<String, JobFailure> {
        self.forget(dispatch, job, has_claim).await?;
        Err(RunError::with(format!("the job is lost: {what}"), Next::Lost).into())
    }

    /// Removes the job's name: the next attempt sends a job of its own, and a worker that still has this one finds it
    /// gone.
    async fn forget(
        &self,
        dispatch: &Dispatch<'_>,
        job: &JobHandle,
        has_claim: bool,
    ) -> Result<(), RunError> {
        let forget = scripts::forget(dispatch.context.task_id(), job, has_claim);
        self.ask(&forget).await
    }

    /// Sends a command until Redis answers.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RunError> {
        let answer = self.line.ask(command).await;
        answer.map_err(|error| RunError::new(format!("Redis refused a command: {error}")))
    }
}
