//! A worker of the Hive: takes ARQ's jobs and runs them with this machine's processors. It needs no database.
//!
//! `claims` is what it says to Redis, `order` what a job asks for, `work` the life of one, `places` when it may
//! begin, `running` those that run, `health` what clients of ARQ see of the worker, `unheeded` which settings it does
//! not follow. `role` is the worker as a node of the Hive, and `pause` what it was ordered not to start. `taker` is the
//! loop that takes jobs, `abort_grace` the jobs that it passes over for a moment, `care` the one that looks after them, and `listener` wakes both. Here all of it is put
//! together, and taken apart at a stop.

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
mod role;
mod running;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claims::Claims;
use self::listener::{Listener, Waker};
use self::pause::Pauses;
use self::role::WorkerRole;
use self::running::{Reason, RunningSet};
use crate::config::{ProcessorKind, Settings};
use crate::hive::cluster::member::{Inbox, Member, Orders};
use crate::hive::cluster::node::{Node, NodeKind};
use crate::hive::redis::connection::{Line, Link, LinkError};
use crate::hive::redis::keys::NodeKeys;
use crate::hive::wire::codec::Codec;
use crate::hive::worker::heartbeat::care;
use crate::hive::worker::ignored_settings::unheeded;
use crate::hive::worker::job_runner::{Counts, STOP_PATIENCE, Workplace};
use crate::hive::worker::limits::Places;
use crate::hive::worker::poller::Taker;
use crate::processors::Registry;

/// How long a stop waits for Redis, besides what jobs take.
const LAST_ANSWER: Duration = Duration::from_secs(2);
/// What a worker is told besides the settings.
#[derive(Clone, Debug)]
pub(crate) struct WorkerOptions {
    /// What it is called in its log and in the list of nodes.
    pub(crate) name: String,
    /// Jobs that run at a time, at least 1.
    pub(crate) max_jobs: usize,
    /// The queues, the most urgent first. Empty stands for the two of the settings.
    pub(crate) queues: Vec<String>,
    /// How a result is written whose job is gone or cannot be read; any other is written as its job was.
    pub(crate) codec: Codec,
}

/// A worker that is not connected yet.
pub(crate) struct Worker {
    link: Link<Listener>,
    line: Line,
    waker: Arc<Waker>,
    workplace: Arc<Workplace>,
    slots: Arc<Semaphore>,
    max_jobs: usize,
    shutdown_grace: Duration,
    name: String,
    keys: NodeKeys,
    inbox: Inbox,
    orders: Orders,
}

impl Worker {
    /// A worker with the processors and the Redis of these settings.
    ///
    /// # Errors
    /// When the certificates or the password of the settings cannot be read.
    pub(crate) fn new(settings: &Settings, options: WorkerOptions) -> Result<Self, LinkError> {
        let queues = match options.queues.is_empty() {
            false => options.queues,
            true => vec![
                settings.hive_high_priority_queue.clone(),
                settings.hive_background_queue.clone(),
            ],
        };
        let waker = Arc::new(Waker {
            queues: queues.clone(),
            jobs: Notify::new(),
            care: Notify::new(),
        });
        let (inbox, orders) = Inbox::new();
        let listener = Listener {
            waker: Arc::clone(&waker),
            inbox: inbox.clone(),
        };
        let (link, line) = Link::new(settings, listener)?;
        let functions = settings.processors.iter();
        let functions = functions.filter(|(_, processor)| runs_here(&processor.kind));
        let workplace = Workplace {
            claims: Claims::new(line.clone(), queues),
            running: RunningSet::default(),
            counts: Counts::default(),
            registry: Registry::new(settings),
            realm: format!(
                "{}:{}/{}",
                settings.redis_host, settings.redis_port, settings.redis_db
            ),
            functions: functions.map(|(name, _)| name.clone()).collect(),
            codec: options.codec,
            places: Places::new(settings, options.max_jobs),
            pauses: Pauses::default(),
        };
        tracing::info!(name = %options.name, max_jobs = options.max_jobs, "a worker of the Hive");
        for line in unheeded(settings, |name| workplace.functions.contains(name)) {
            tracing::warn!("{line}");
        }
        Ok(Self {
            link,
            line,
            waker,
            workplace: Arc::new(workplace),
            slots: Arc::new(Semaphore::new(options.max_jobs)),
            max_jobs: options.max_jobs,
            shutdown_grace: settings.shutdown_grace,
            name: options.name,
            keys: NodeKeys::of(&settings.hive_broadcast_channel),
            inbox,
            orders,
        })
    }

    /// The functions that it runs, sorted.
    pub(crate) fn functions(&self) -> Vec<String> {
        let mut functions = Vec::from_iter(self.workplace.functions.iter().cloned());
        functions.sort_unstable();
        functions
    }

    /// The queues that it takes jobs from, the most urgent first.
    pub(crate) fn queues(&self) -> &[String] {
        self.workplace.claims.queues()
    }

    /// Works until `stop`. Then running jobs get the grace of the settings to end; the rest is given back.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let Self {
            link,
            line,
            waker,
            workplace,
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
                workplace: Arc::clone(&workplace),
                max_jobs,
            },
        };
        let jobs = TaskTracker::new();
        let work = async {
            let taker = Taker {
                workplace: &workplace,
                waker: &waker,
                slots,
                max_jobs,
                jobs: &jobs,
            };
            taker.run(&stop).await;
            leave(&workplace, &jobs, shutdown_grace).await;
            workplace.registry.end_leftovers().await;
            let _ = timeout(LAST_ANSWER, health::end(line.clone(), &workplace)).await;
        };
        tokio::select! {
            () = work => {}
            () = link.run() => {}
            () = care(&workplace, &waker) => {}
            () = health::tell(line.clone(), &workplace) => {}
            () = member.run(orders) => {}
        }
        member.leave().await;
    }
}

/// Whether this machine runs the tasks of such a processor by itself.
fn runs_here(kind: &ProcessorKind) -> bool {
    match kind {
        ProcessorKind::Echo
        | ProcessorKind::Command(_)
        | ProcessorKind::Webhook(_)
        | ProcessorKind::Llm(_) => true,
        ProcessorKind::Worker(_) | ProcessorKind::Hive(_) => false,
    }
}

/// Waits for the jobs to end, or ends them.
async fn leave(workplace: &Workplace, jobs: &TaskTracker, grace: Duration) {
    jobs.close();
    workplace.places.close();
    if timeout(grace, jobs.wait()).await.is_ok() {
        return;
    }
    for running in workplace.running.all() {
        running.stop(Reason::Shutdown);
    }
    if timeout(STOP_PATIENCE + LAST_ANSWER, jobs.wait())
        .await
        .is_err()
    {
        let left = jobs.len();
        tracing::warn!(
            left,
            "jobs could not be given back; other workers take them when the claims expire"
        );
    }
}
