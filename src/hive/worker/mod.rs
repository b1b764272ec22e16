//! A worker of the Hive: claims ARQ's jobs and runs them with this machine's processors. It needs no database.
//!
//! The `poller` claims jobs while there are free slots (`claims` is what it sends to Redis, `abort_grace` the jobs that it
//! skips briefly); `job_runner` is the life of one job, `job_spec` its parsed body, `limits` when it may start.
//! `running` holds the jobs that run, and the `heartbeat` extends their claims and notices aborts. The `listener` wakes
//! both loops. `role` is the worker as a node of the Hive and `pause` what a command has paused; `health` writes ARQ's
//! health key; `ignored_settings` names the settings that a worker does not follow. This file starts all of it, and
//! shuts it down.

mod abort_grace;
mod claims;
mod health;
pub(super) mod heartbeat;
pub(super) mod ignored_settings;
pub(super) mod job_runner;
pub(super) mod job_spec;
pub(super) mod limits;
mod listener;
mod pause;
pub(super) mod poller;
mod processor_limit;
mod role;
mod running;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claims::JobClaims;
use self::listener::{Wakeups, WorkerListener};
use self::pause::Pauses;
use self::role::WorkerRole;
use self::running::{RunningJobs, StopCause};
use crate::config::{ProcessorKind, Settings};
use crate::hive::cluster::inbox::{CommandInbox, CommandReceiver};
use crate::hive::cluster::member::Member;
use crate::hive::cluster::node::{Node, NodeKind};
use crate::hive::redis::connection::RedisConnection;
use crate::hive::redis::error::ConnectionError;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys::NodeKeys;
use crate::hive::wire::codec::Codec;
use crate::hive::worker::claims::LAST_ANSWER;
use crate::hive::worker::job_runner::{STOP_PATIENCE, WorkerContext, WorkerCounts};
use crate::hive::worker::limits::ProcessorLimits;
use crate::hive::worker::poller::WorkerPoller;
use crate::processors::Registry;

/// The options of a worker that are not settings.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOptions {
    /// The name in its log and in the list of nodes.
    pub(crate) name: String,
    /// The maximum number of running jobs, at least 1.
    pub(crate) max_jobs: usize,
    /// The queues, the most urgent first. Empty means the two of the settings.
    pub(crate) queues: Vec<String>,
    /// The codec of a result whose job is gone or cannot be read; any other result uses its job's codec.
    pub(crate) codec: Codec,
}

/// A worker that is not connected yet.
pub(crate) struct Worker {
    link: RedisConnection<WorkerListener>,
    line: RedisHandle,
    wakeups: Arc<Wakeups>,
    worker: Arc<WorkerContext>,
    slots: Arc<Semaphore>,
    max_jobs: usize,
    shutdown_grace: Duration,
    name: String,
    keys: NodeKeys,
    inbox: CommandInbox,
    orders: CommandReceiver,
}

impl Worker {
    /// Creates a worker with the processors and the Redis of these settings, not connected yet.
    ///
    /// # Errors
    /// If the certificates or the password of the settings cannot be read.
    pub(crate) fn new(
        settings: &Settings,
        options: WorkerOptions,
    ) -> Result<Self, ConnectionError> {
        let queues = match options.queues.is_empty() {
            false => options.queues,
            true => vec![
                settings.hive_high_priority_queue.clone(),
                settings.hive_background_queue.clone(),
            ],
        };
        let wakeups = Arc::new(Wakeups {
            queues: queues.clone(),
            jobs: Notify::new(),
            heartbeat: Notify::new(),
        });
        let (inbox, orders) = CommandInbox::new();
        let listener = WorkerListener {
            wakeups: Arc::clone(&wakeups),
            inbox: inbox.clone(),
        };
        let (link, line) = RedisConnection::new(settings, listener)?;
        let functions = settings.processors.iter();
        let functions = functions.filter(|(_, processor)| runs_here(&processor.kind));
        let worker = WorkerContext {
            claims: JobClaims::new(line.clone(), queues),
            running: RunningJobs::default(),
            counts: WorkerCounts::default(),
            registry: Registry::new(settings),
            realm: format!(
                "{}:{}/{}",
                settings.redis_host, settings.redis_port, settings.redis_db
            ),
            functions: functions.map(|(name, _)| name.clone()).collect(),
            codec: options.codec,
            limits: ProcessorLimits::new(settings, options.max_jobs),
            pauses: Pauses::default(),
        };
        tracing::info!(name = %options.name, max_jobs = options.max_jobs, "a worker of the Hive");
        for line in
            ignored_settings::ignored_settings(settings, |name| worker.functions.contains(name))
        {
            tracing::warn!("{line}");
        }
        Ok(Self {
            link,
            line,
            wakeups,
            worker: Arc::new(worker),
            slots: Arc::new(Semaphore::new(options.max_jobs)),
            max_jobs: options.max_jobs,
            shutdown_grace: settings.shutdown_grace,
            name: options.name,
            keys: NodeKeys::of(&settings.hive_broadcast_channel),
            inbox,
            orders,
        })
    }

    /// Returns the names of the functions that it runs, sorted.
    pub(crate) fn functions(&self) -> Vec<String> {
        let mut functions = Vec::from_iter(self.worker.functions.iter().cloned());
        functions.sort_unstable();
        functions
    }

    /// Returns the queues that it claims jobs from, the most urgent first.
    pub(crate) fn queues(&self) -> &[String] {
        self.worker.claims.queues()
    }

    /// Runs jobs until `stop`. Then running jobs get the grace period of the settings to end; the rest return to
    /// their queue.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            link,
            line,
            wakeups,
            worker,
            slots,
            max_jobs,
            shutdown_grace,
            name,
            keys,
            inbox,
            orders,
        } = self;
        let mut member = Member {
            node: Node::of_this_process(NodeKind::Worker, &name),
            line: line.clone(),
            keys,
            inbox,
            role: WorkerRole {
                worker: Arc::clone(&worker),
                max_jobs,
            },
        };
        let jobs = TaskTracker::new();
        let work = async {
            let poller = WorkerPoller {
                worker: &worker,
                wakeups: &wakeups,
                slots,
                max_jobs,
                jobs: &jobs,
            };
            poller.run(&stop).await;
            drain(&worker, &jobs, shutdown_grace).await;
            worker.registry.end_leftovers().await;
            let _ = timeout(LAST_ANSWER, health::remove(line.clone(), &worker)).await;
        };
        tokio::select! {
            () = work => {}
            () = link.run() => {}
            () = heartbeat::run(&worker, &wakeups) => {}
            () = health::run(line.clone(), &worker) => {}
            () = member.run(orders) => {}
        }
        member.leave().await;
    }
}

/// Returns true if this machine can run the tasks of such a processor.
fn runs_here(kind: &ProcessorKind) -> bool {
    match kind {
        ProcessorKind::Echo
        | ProcessorKind::Command(_)
        | ProcessorKind::Webhook(_)
        | ProcessorKind::Llm(_) => true,
        ProcessorKind::Worker(_) | ProcessorKind::Hive(_) => false,
    }
}

/// Waits for the running jobs to end; stops them after `grace`.
async fn drain(worker: &WorkerContext, jobs: &TaskTracker, grace: Duration) {
    jobs.close();
    worker.limits.close();
    if timeout(grace, jobs.wait()).await.is_ok() {
        return;
    }
    for running in worker.running.all() {
        running.stop(StopCause::Shutdown);
    }
    if timeout(STOP_PATIENCE + LAST_ANSWER, jobs.wait())
        .await
        .is_err()
    {
        let left = jobs.len();
        tracing::warn!(
            left,
            "could not return running jobs; other workers claim them when the claims expire"
        );
    }
}
