//! How a task's job is ended that nobody wants any more: it is taken back from its queue, or its worker aborts it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisError;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::hive::dispatch::in_flight::{Flights, News, Ticket};
use crate::hive::dispatch::scripts;
use crate::hive::dispatch::task_lock::Turn;
use crate::hive::redis::connection::Line;
use crate::hive::redis::keys;
use crate::models::TaskId;

/// How long a worker may take to end a job that is aborted: less than the executor waits.
const ABORT_PATIENCE: Duration = Duration::from_secs(8);
/// How long it may take to take back what was not ended.
const FORGET_PATIENCE: Duration = Duration::from_secs(1);
/// Bytes of a current job's name that are read.
const NAME_LIMIT: isize = 1000;

/// Ends jobs, and remembers which could not be ended.
pub(crate) struct Ends {
    line: Line,
    flights: Flights,
    /// Tasks whose current job was to end while Redis was away.
    owed: Mutex<HashSet<TaskId>>,
    sweep: Arc<Notify>,
}

/// A job that an attempt has sent, or goes on with.
pub(crate) struct SentJob {
    pub(crate) id: String,
    pub(crate) queue: String,
}

/// Why a job may still run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotEnded {
    #[error("its worker did not end it in time, or takes no aborts (allow_abort_jobs)")]
    Deaf,
    #[error("Redis is away; it is ended when Redis is back")]
    Away,
    #[error("Redis refused a command: {0}")]
    Refused(RedisError),
}

/// How far an ending has come.
#[derive(Default)]
struct Progress {
    job: Option<Ticket>,
    is_told: bool,
}

impl Ends {
    /// Asks for a look at what is owed by `sweep`.
    pub(crate) fn new(line: Line, flights: Flights, sweep: Arc<Notify>) -> Self {
        Self {
            line,
            flights,
            owed: Mutex::default(),
            sweep,
        }
    }

    /// Ends the job that is the current one of the turn's task, or the one that was `sent` if Redis knows of none;
    /// whether there is one. What fails because Redis is away is owed from then on.
    ///
    /// # Errors
    /// Why the job may still run.
    pub(crate) async fn end(&self, turn: &Turn, sent: Option<&SentJob>) -> Result<bool, NotEnded> {
        let task = turn.task();
        let ended = self.try_to_end(task, sent).await;
        if matches!(ended, Err(NotEnded::Away)) {
            self.owed().insert(task);
            self.sweep.notify_one();
        } else {
            self.owed().remove(&task);
        }
        ended
    }

    /// Ends what is owed of the turn's task before another attempt begins, which would go on with it.
    pub(crate) async fn settle(&self, turn: &Turn) {
        while self.owed().contains(&turn.task()) {
            if let Err(error) = self.end(turn, None).await {
                tracing::debug!(task_id = %turn.task(), %error, "the job of an earlier attempt was not ended");
            }
        }
    }

    /// The tasks whose current job is to end.
    pub(crate) fn all_owed(&self) -> Vec<TaskId> {
        self.owed().iter().copied().collect()
    }

    /// Resolves when somebody wants them looked for.
    pub(crate) async fn sweep_wanted(&self) {
        self.sweep.notified().await;
    }

    async fn try_to_end(&self, task: TaskId, sent: Option<&SentJob>) -> Result<bool, NotEnded> {
        let mut progress = Progress::default();
        let aborted = timeout(ABORT_PATIENCE, self.abort(task, sent, &mut progress)).await;
        let why = match aborted {
            Ok(Ok(())) => return Ok(progress.job.is_some()),
            Ok(Err(error)) => NotEnded::Refused(error),
            Err(_) if progress.is_told => NotEnded::Deaf,
            Err(_) => return Err(NotEnded::Away),
        };
        if let Some(job) = &progress.job {
            // At least no other worker begins it again, and no mark stays that would end a later job.
            let forget = scripts::forget(task, job, false);
            match timeout(FORGET_PATIENCE, self.line.ask::<()>(&forget)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a job was not forgotten"),
                Err(_) => return Err(NotEnded::Away),
            }
        }
        Err(why)
    }

    /// Takes the job back, or has its worker abort it and waits for that.
    async fn abort(
        &self,
        task: TaskId,
        sent: Option<&SentJob>,
        progress: &mut Progress,
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
        self.flights.look_at(job.id());
        while !matches!(
            job.news().await,
            News::Landed | News::Ended { .. } | News::Gone
        ) {}
        // ARQ never takes back the mark of an abort that came too late.
        self.line.ask(&scripts::forget(task, job, false)).await
    }

    /// The task's current job, or the one that was sent, listened to.
    async fn current(
        &self,
        task: TaskId,
        sent: Option<&SentJob>,
    ) -> Result<Option<Ticket>, RedisError> {
        let mut read = redis::cmd("GETRANGE");
        read.arg(keys::current(task)).arg(0).arg(NAME_LIMIT);
        let named: Vec<u8> = self.line.ask(&read).await?;
        let named = String::from_utf8_lossy(&named);
        let named = keys::named_job(task, &named);
        // A Redis that was emptied names none, and a worker may run the job all the same.
        let named = named.or_else(|| sent.map(|sent| (sent.id.as_str(), sent.queue.as_str())));
        Ok(named.map(|(id, queue)| {
            let job = self.flights.board(id.to_owned(), queue);
            job.was_sent();
            job
        }))
    }

    fn owed(&self) -> MutexGuard<'_, HashSet<TaskId>> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
