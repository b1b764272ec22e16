//! Sends tasks as ARQ's jobs and brings back what has become of them.
//!
//! A job's id is that of its task and attempt. The script that enqueues it does so once, however often it is
//! asked, and hands out the job of an attempt that was interrupted, if that is still there: so a task is not
//! run twice because the service has stopped or died, between the two stores or later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use redis::{Cmd, FromRedisValue};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, sleep_until};

use crate::config::{HiveCodec, HiveProcessorSettings, HiveQueue};
use crate::hive::dispatch::cancel::{Ends, SentJob};
use crate::hive::dispatch::in_flight::{Flights, News, Ticket};
use crate::hive::dispatch::job::{Unsuccessful, body, now_ms, outcome};
use crate::hive::dispatch::scripts;
use crate::hive::dispatch::scripts::Scripts;
use crate::hive::dispatch::task_lock::{Turn, Turns};
use crate::hive::redis::connection::{Line, PAUSE};
use crate::hive::redis::keys;
use crate::hive::wire::codec::Codec;
use crate::processors::{Carrier, Context, Next, RunError};

/// How long a job may wait for a worker: its body expires then, as ARQ has it.
pub(crate) const EXPIRES: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the job of a task that has completed is still known as its job.
const REMEMBERED: Duration = Duration::from_secs(3600);
/// Bytes of a result that are read.
const RESULT_LIMIT: isize = 16 << 20;
/// A result of more bytes is read in its turn, and taken apart beside the threads that answer requests.
const SMALL: usize = 64 << 10;
/// Small results that are read at a time.
const READ_AT_ONCE: usize = 1024;
/// A large result counts as so many small ones.
const LARGE: u32 = (RESULT_LIMIT as usize / SMALL) as u32;
/// How much later than a worker a service may hear of an order to both.
const ORDER_PATIENCE: Duration = Duration::from_secs(2);

/// What is said of a job that has ended and has no result any more.
const EXPIRED: &str =
    "it has ended, and its result has expired or was not stored (keep_result of the worker)";
/// What is said of a job that has ended and never had a result.
const NO_RESULT: &str = "the job has ended, and its worker has stored no result, so whether it succeeded is not known: \
     set keep_result of the function or of the worker above 0, or expects_result = false for this processor";

/// Carries attempts to the Hive's workers.
pub(crate) struct Sender {
    line: Line,
    flights: Flights,
    turns: Turns,
    ends: Arc<Ends>,
    queues: QueueNames,
    scripts: Arc<Scripts>,
    tally: Arc<Tally>,
    reading: Semaphore,
}

/// The jobs that have ended since the service started.
#[derive(Default)]
pub(crate) struct Tally {
    /// Those with a result.
    pub(crate) completed: AtomicU64,
    /// Those that failed or were lost or out of time; not those that somebody stopped.
    pub(crate) failed: AtomicU64,
}

/// The names of the two queues.
#[derive(Clone)]
pub(crate) struct QueueNames {
    pub(crate) high: String,
    pub(crate) background: String,
}

impl Carrier for Sender {
    fn carry<'a>(
        &'a self,
        settings: &'a HiveProcessorSettings,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<String, RunError>> {
        Box::pin(self.run(settings, context))
    }
}

impl Sender {
    pub(crate) fn new(
        line: Line,
        flights: Flights,
        turns: Turns,
        ends: Arc<Ends>,
        queues: QueueNames,
        scripts: Arc<Scripts>,
        tally: Arc<Tally>,
    ) -> Self {
        Self {
            line,
            flights,
            turns,
            ends,
            queues,
            scripts,
            tally,
            reading: Semaphore::new(READ_AT_ONCE),
        }
    }
}

/// One attempt's errand.
struct Errand<'a> {
    context: &'a Context,
    turn: &'a Turn,
    queue: &'a str,
    codec: Codec,
    /// Its function leaves a result in Redis.
    expects_result: bool,
    sent: OnceLock<SentJob>,
}

impl Sender {
    async fn run(
        &self,
        settings: &HiveProcessorSettings,
        context: &Context,
    ) -> Result<String, RunError> {
        let turn = tokio::select! {
            biased;
            () = context.stopped() => return Err(RunError::new("stopped before it was sent")),
            turn = self.turns.take(context.task_id()) => turn,
        };
        let errand = Errand {
            context,
            turn: &turn,
            queue: self.queue(settings, context).await?,
            codec: match settings.codec {
                HiveCodec::Pickle => Codec::Pickle,
                HiveCodec::Json => Codec::Json,
                HiveCodec::Msgpack => Codec::Msgpack,
            },
            expects_result: settings.expects_result,
            sent: OnceLock::new(),
        };
        let body = body(settings, context, errand.codec).await?;
        tokio::select! {
            biased;
            () = context.stopped() => {
                // A stop of the service leaves the job running; the next attempt goes on with it. Any other
                // ends it, also if it has a result by now: that is not the next attempt's.
                if !context.is_left_running() {
                    self.end(&errand).await;
                }
                Err(RunError::new("stopped"))
            }
            ended = self.send_and_follow(&errand, body) => {
                match &ended {
                    Ok(_) => drop(self.tally.completed.fetch_add(1, Ordering::Relaxed)),
                    Err(Unsuccessful::Aborted) => {}
                    Err(Unsuccessful::Failed(_)) => {
                        self.tally.failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                ended.map_err(RunError::from)
            }
        }
    }

    async fn send_and_follow(
        &self,
        errand: &Errand<'_>,
        body: Vec<u8>,
    ) -> Result<String, Unsuccessful> {
        self.ends.settle(errand.turn).await;
        let ticket = self.send(errand, body).await?;
        let _ = errand.sent.set(SentJob {
            id: ticket.id().to_owned(),
            queue: ticket.queue().to_owned(),
        });
        self.follow(errand, &ticket).await
    }

    /// Ends the job; a word in the task's log if it may still run.
    async fn end(&self, errand: &Errand<'_>) {
        if let Err(why) = self.ends.end(errand.turn, errand.sent.get()).await {
            let line = format!("The job may still run: {why}");
            errand.context.log(line).await;
        }
    }

    async fn queue(
        &self,
        settings: &HiveProcessorSettings,
        context: &Context,
    ) -> Result<&str, RunError> {
        let priority = match settings.queue {
            HiveQueue::ByPriority => context.task().await?.priority,
            HiveQueue::High | HiveQueue::Background => 0,
        };
        Ok(match settings.queue.is_high(priority) {
            true => &self.queues.high,
            false => &self.queues.background,
        })
    }

    /// Sends the job, once; or finds the one that an interrupted attempt has sent.
    async fn send(&self, errand: &Errand<'_>, body: Vec<u8>) -> Result<Ticket, RunError> {
        let (context, queue) = (errand.context, errand.queue);
        let id = keys::job_id(context.task_id(), context.attempt());
        let own = self.flights.board(id.clone(), queue);
        let mut enqueue = self.scripts.enqueue.key(keys::current(context.task_id()));
        enqueue
            .key(queue)
            .arg(&id)
            .arg(body)
            .arg(EXPIRES.as_millis() as u64)
            .arg(now_ms())
            .arg(context.task_id().to_string())
            .arg(u8::from(!errand.expects_result));
        loop {
            let mut connection = self.line.clone().connection().await;
            let sent = enqueue.invoke_async::<String>(&mut connection).await;
            match sent {
                Ok(sent) if sent == format!("{id} {queue}") => {
                    own.sent();
                    context.log(format!("Sent to {queue} as job {id}")).await;
                    return Ok(own);
                }
                Ok(earlier) => {
                    let (earlier, queue) = earlier.split_once(' ').unwrap_or((&earlier, queue));
                    let line = format!("Goes on with job {earlier} of an interrupted attempt");
                    context.log(line).await;
                    let ticket = self.flights.board(earlier.to_owned(), queue);
                    ticket.was_sent();
                    // It may have ended before anybody listened.
                    self.flights.look_at_all();
                    return Ok(ticket);
                }
                Err(error) if self.line.may_pass(&error) => sleep(PAUSE).await,
                Err(error) => {
                    return Err(RunError::new(format!("Redis refused the job: {error}")));
                }
            }
        }
    }

    /// Waits for the job's end, and tells of its start.
    async fn follow(&self, errand: &Errand<'_>, ticket: &Ticket) -> Result<String, Unsuccessful> {
        let context = errand.context;
        let mut ends_at = None;
        loop {
            let news = tokio::select! {
                biased;
                news = ticket.news() => news,
                () = sleep_until(ends_at.unwrap_or_else(Instant::now)), if ends_at.is_some() => {
                    self.end(errand).await;
                    let seconds = context.limit().unwrap_or_default().as_secs_f64();
                    let message = format!("timed out {seconds} s after a worker began");
                    return Err(RunError::with(message, Next::TimedOut).into());
                }
            };
            match news {
                News::Started => {
                    context.log("A worker has begun".to_owned()).await;
                    ends_at = context.limit().map(|limit| Instant::now() + limit);
                }
                News::Released => {
                    let line = "Its worker has given it back".to_owned();
                    context.log(line).await;
                    ends_at = None;
                }
                News::Landed => {
                    if let Some(result) = self.result(errand, ticket).await? {
                        let is_aborted = matches!(result, Err(Unsuccessful::Aborted));
                        // An emergency stop may have reached the worker before this service: then this waits
                        // no longer than for that.
                        if is_aborted {
                            sleep(ORDER_PATIENCE).await;
                        }
                        return result;
                    }
                    // It has expired since: nothing is left.
                    return self.lost(errand, ticket, false, EXPIRED).await;
                }
                News::Ended { had_none } => {
                    return self.without_result(errand, ticket, had_none).await;
                }
                News::Forgotten => {
                    let line = "Redis knows the job no more; its worker may still send the result";
                    context.log(line.to_owned()).await;
                }
                News::Gone => {
                    let what = "it is not in Redis any more, and has no result";
                    return self.lost(errand, ticket, false, what).await;
                }
                News::Silent => {
                    // If it is alive after all, it is not to run beside the next attempt.
                    self.end(errand).await;
                    let what =
                        "its worker has been silent for longer than hive_zombie_task_timeout";
                    return self.lost(errand, ticket, true, what).await;
                }
            }
        }
    }

    /// What the job has become; `None` if its result is gone.
    async fn result(
        &self,
        errand: &Errand<'_>,
        ticket: &Ticket,
    ) -> Result<Option<Result<String, Unsuccessful>>, RunError> {
        let key = format!("{}{}", keys::RESULT, ticket.id());
        let start_of = |limit: isize| {
            let mut read = redis::cmd("GETRANGE");
            read.arg(&key).arg(0).arg(limit);
            read
        };
        let mut permit = self.reading.acquire().await;
        let mut bytes: Vec<u8> = self.ask(&start_of(SMALL as isize)).await?;
        if bytes.len() > SMALL {
            // Given back first: nobody waits for more while holding some.
            drop((permit, bytes));
            permit = self.reading.acquire_many(LARGE).await;
            bytes = self.ask(&start_of(RESULT_LIMIT)).await?;
        }
        if bytes.is_empty() {
            return Ok(None);
        }
        let codec = errand.codec;
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
                    errand.context.log(note.to_owned()).await;
                }
                Ok(returned.text)
            }
            Err(unsuccessful) => Err(unsuccessful),
        };
        // What it has become is known; the rest is for the case that the service dies before it is stored.
        let noted = match &outcome {
            Ok(_) => self.remember(errand).await,
            Err(_) => self.forget(errand, ticket, false).await,
        };
        if let Err(error) = noted {
            tracing::debug!(%error, "what became of a job was not noted in Redis");
        }
        Ok(Some(outcome))
    }

    /// The job has ended, and Redis has no result of it.
    async fn without_result(
        &self,
        errand: &Errand<'_>,
        ticket: &Ticket,
        had_none: bool,
    ) -> Result<String, Unsuccessful> {
        if !errand.expects_result {
            let line = "The job has ended, and has no result (expects_result = false)";
            errand.context.log(line.to_owned()).await;
            if let Err(error) = self.remember(errand).await {
                tracing::debug!(error = error.message, "a job's end was not noted in Redis");
            }
            return Ok(String::new());
        }
        if !had_none {
            return self.lost(errand, ticket, false, EXPIRED).await;
        }
        self.forget(errand, ticket, false).await?;
        // Another attempt would run the function again, to the same end.
        Err(RunError::with(NO_RESULT, Next::GiveUp).into())
    }

    /// For the case that the service dies before the outcome is stored: the next attempt finds this job.
    async fn remember(&self, errand: &Errand<'_>) -> Result<(), RunError> {
        let mut remember = redis::cmd("PEXPIRE");
        remember
            .arg(keys::current(errand.context.task_id()))
            .arg(REMEMBERED.as_millis() as u64);
        self.ask(&remember).await
    }

    async fn lost(
        &self,
        errand: &Errand<'_>,
        ticket: &Ticket,
        has_claim: bool,
        what: &str,
    ) -> Result<String, Unsuccessful> {
        self.forget(errand, ticket, has_claim).await?;
        Err(RunError::with(format!("the job is lost: {what}"), Next::Lost).into())
    }

    /// The next attempt sends a job of its own, and a worker that still has this one finds it gone.
    async fn forget(
        &self,
        errand: &Errand<'_>,
        ticket: &Ticket,
        has_claim: bool,
    ) -> Result<(), RunError> {
        let forget = scripts::forget(errand.context.task_id(), ticket, has_claim);
        self.ask(&forget).await
    }

    /// Asks Redis until it answers.
    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RunError> {
        let answer = self.line.ask(command).await;
        answer.map_err(|error| RunError::new(format!("Redis refused a command: {error}")))
    }
}
