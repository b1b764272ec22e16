//! Runs the attempts of `hive` processors: sends each task as an ARQ job and follows it to its outcome.
//!
//! The job's id holds the task and the attempt. The script that enqueues it does so once, however often it is called,
//! and returns the job of an interrupted attempt if that still exists. So no task runs twice because the service
//! stopped or died, be it between the writes to SQLite and Redis or later.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use futures_util::future::BoxFuture;
use tokio::time::sleep;

use crate::config::{HiveCodec, HiveProcessorSettings, HiveQueue};
use crate::hive::clock::now_ms;
use crate::hive::dispatch::cancel::{Canceller, SentJob};
use crate::hive::dispatch::follow::{Dispatch, JobFollower};
use crate::hive::dispatch::in_flight::{InFlight, JobHandle};
use crate::hive::dispatch::job::{JobFailure, body};
use crate::hive::dispatch::job_counters::JobCounters;
use crate::hive::dispatch::queues::{EXPIRES, QueueNames};
use crate::hive::dispatch::scripts::Scripts;
use crate::hive::dispatch::task_lock::TaskLocks;
use crate::hive::redis::handle::{PAUSE, RedisHandle};
use crate::hive::redis::keys;
use crate::hive::wire::codec::Codec;
use crate::processors::{Context, HiveBackend, RunError};

/// Runs attempts on the workers of the Hive.
pub(crate) struct Dispatcher {
    line: RedisHandle,
    in_flight: InFlight,
    locks: TaskLocks,
    canceller: Arc<Canceller>,
    queues: QueueNames,
    scripts: Arc<Scripts>,
    counters: Arc<JobCounters>,
    follower: JobFollower,
}

impl HiveBackend for Dispatcher {
    fn run_attempt<'a>(
        &'a self,
        settings: &'a HiveProcessorSettings,
        context: &'a Context,
    ) -> BoxFuture<'a, Result<String, RunError>> {
        Box::pin(self.run(settings, context))
    }
}

impl Dispatcher {
    pub(crate) fn new(
        line: RedisHandle,
        in_flight: InFlight,
        locks: TaskLocks,
        canceller: Arc<Canceller>,
        queues: QueueNames,
        scripts: Arc<Scripts>,
        counters: Arc<JobCounters>,
    ) -> Self {
        Self {
            follower: JobFollower::new(line.clone(), Arc::clone(&canceller)),
            line,
            in_flight,
            locks,
            canceller,
            queues,
            scripts,
            counters,
        }
    }
}

impl Dispatcher {
    async fn run(
        &self,
        settings: &HiveProcessorSettings,
        context: &Context,
    ) -> Result<String, RunError> {
        let lock = tokio::select! {
            biased;
            () = context.stopped() => return Err(RunError::new("stopped before it was sent")),
            lock = self.locks.lock(context.task_id()) => lock,
        };
        let dispatch = Dispatch {
            context,
            lock: &lock,
            queue: self.queue(settings, context).await?,
            codec: match settings.codec {
                HiveCodec::Pickle => Codec::Pickle,
                HiveCodec::Json => Codec::Json,
                HiveCodec::Msgpack => Codec::Msgpack,
            },
            expects_result: settings.expects_result,
            sent: OnceLock::new(),
        };
        let body = body(settings, context, dispatch.codec).await?;
        tokio::select! {
            biased;
            () = context.stopped() => {
                // A stop of the service leaves the job running; the next attempt continues with it. Any other stop
                // ends the job, even one that already has a result: that is not the next attempt's.
                if !context.is_left_running() {
                    self.follower.cancel(&dispatch).await;
                }
                Err(RunError::new("stopped"))
            }
            ended = self.send_and_follow(&dispatch, body) => {
                match &ended {
                    Ok(_) => drop(self.counters.completed.fetch_add(1, Ordering::Relaxed)),
                    Err(JobFailure::Aborted) => {}
                    Err(JobFailure::Failed(_)) => {
                        self.counters.failed.fetch_add(1, Ordering::Relaxed);
                    }
                }
                ended.map_err(RunError::from)
            }
        }
    }

    async fn send_and_follow(
        &self,
        dispatch: &Dispatch<'_>,
        body: Vec<u8>,
    ) -> Result<String, JobFailure> {
        self.canceller.finish_pending(dispatch.lock).await;
        let job = self.send(dispatch, body).await?;
        let _ = dispatch.sent.set(SentJob {
            id: job.id().to_owned(),
            queue: job.queue().to_owned(),
        });
        self.follower.follow(dispatch, &job).await
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

    /// Enqueues the job once, or finds the job that an interrupted attempt has enqueued.
    async fn send(&self, dispatch: &Dispatch<'_>, body: Vec<u8>) -> Result<JobHandle, RunError> {
        let (context, queue) = (dispatch.context, dispatch.queue);
        let id = keys::job_id(context.task_id(), context.attempt());
        let own = self.in_flight.track(id.clone(), queue);
        let mut enqueue = self.scripts.enqueue.key(keys::current(context.task_id()));
        enqueue
            .key(queue)
            .arg(&id)
            .arg(body)
            .arg(EXPIRES.as_millis() as u64)
            .arg(now_ms())
            .arg(context.task_id().to_string())
            .arg(u8::from(!dispatch.expects_result));
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
                    let line = format!("Continues with job {earlier} of an interrupted attempt");
                    context.log(line).await;
                    let job = self.in_flight.track(earlier.to_owned(), queue);
                    job.was_sent();
                    // The job may have ended before anybody tracked it.
                    self.in_flight.check_all();
                    return Ok(job);
                }
                Err(error) if self.line.retryable(&error) => sleep(PAUSE).await,
                Err(error) => {
                    return Err(RunError::new(format!("Redis refused the job: {error}")));
                }
            }
        }
    }
}
