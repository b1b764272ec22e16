//! A worker of the Hive: takes ARQ's jobs and runs them with this machine's processors. It needs no database.
//!
//! `claims` is what it says to Redis, `order` what a job asks for, `work` the life of one, `places` when it may
//! begin, `running` those that run, `health` what clients of ARQ see of the worker, `unheeded` which settings it does
//! not follow. `role` is the worker as a node of the Hive, and `pause` what it was ordered not to start. The loop here
//! takes jobs whenever there is room: at once when Redis tells of one, when the next is due, and twice a second in
//! any case.

mod claims;
mod health;
mod order;
mod pause;
mod places;
mod role;
mod running;
mod unheeded;
mod work;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::claims::{Batch, Claim, Claims};
use self::pause::Pauses;
use self::places::Places;
use self::role::WorkerRole;
use self::running::{Reason, RunningSet};
use self::unheeded::unheeded;
use self::work::{Counts, STOP_PATIENCE, Workplace};
use super::job::now_ms;
use super::keys::{self, NodeKeys};
use super::link::{Ear, Line, Link, LinkError};
use super::member::{Inbox, Member, Orders};
use super::nodes::{Node, NodeKind};
use super::wire::Codec;
use crate::config::{ProcessorKind, Settings};
use crate::processors::Registry;

/// How often jobs are looked for, besides what Redis tells.
const POLL: Duration = Duration::from_millis(500);
/// How often running jobs are looked after: whether they are to be aborted, and are still ours.
const CARE: Duration = Duration::from_millis(500);
/// How often the end of claims is put off; a third of the time for which they hold.
const EXTENSION: Duration = Duration::from_secs(10);
/// Claims that one command keeps.
const KEEP_JOBS: usize = 500;
/// How long a stop waits for Redis, besides what jobs take.
const LAST_ANSWER: Duration = Duration::from_secs(2);
/// How long the taker rests for each job that went back, while none begins: it passes over a hundred a second of a
/// backlog whose processor is busy or paused, to find the jobs of others behind them, and no more.
const REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// What a worker is told besides the settings.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// What it is called in its log and in the list of nodes.
    pub name: String,
    /// Jobs that run at a time, at least 1.
    pub max_jobs: usize,
    /// The queues, the most urgent first. Empty stands for the two of the settings.
    pub queues: Vec<String>,
    /// How a result is written whose job is gone or cannot be read; any other is written as its job was.
    pub codec: Codec,
}

/// A worker that is not connected yet.
pub struct Worker {
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

/// What a worker hears: it wakes the loops.
struct Listener {
    waker: Arc<Waker>,
    inbox: Inbox,
}

/// Wakes the loops of a worker.
struct Waker {
    queues: Vec<String>,
    /// There may be jobs.
    jobs: Notify,
    /// A job may have to be aborted, or claims may have been lost.
    care: Notify,
}

impl Ear for Listener {
    fn keys(&self) -> Vec<String> {
        let abort = keys::ABORT.to_owned();
        self.waker.queues.iter().cloned().chain([abort]).collect()
    }

    fn hear(&self, key: &str, event: &[u8]) {
        if !matches!(event, b"zadd" | b"zincr") {
            return;
        }
        match key == keys::ABORT {
            true => self.waker.care.notify_one(),
            false => self.waker.jobs.notify_one(),
        }
    }

    fn order(&self, payload: &[u8]) {
        self.inbox.hear(payload);
    }

    async fn connected(&self) {
        self.waker.care.notify_one();
        self.waker.jobs.notify_one();
    }

    async fn away(&self, reason: String) {
        tracing::warn!(%reason, "Redis is away; running jobs go on");
    }
}

impl Worker {
    /// A worker with the processors and the Redis of these settings.
    ///
    /// # Errors
    /// When the certificates or the password of the settings cannot be read.
    pub fn new(settings: &Settings, options: WorkerOptions) -> Result<Self, LinkError> {
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
    pub fn functions(&self) -> Vec<String> {
        let mut functions = Vec::from_iter(self.workplace.functions.iter().cloned());
        functions.sort_unstable();
        functions
    }

    /// The queues that it takes jobs from, the most urgent first.
    pub fn queues(&self) -> &[String] {
        self.workplace.claims.queues()
    }

    /// Works until `stop`. Then running jobs get the grace of the settings to end; the rest is given back.
    pub async fn run(self, stop: CancellationToken) {
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

/// Takes jobs as long as there is room.
struct Taker<'a> {
    workplace: &'a Arc<Workplace>,
    waker: &'a Waker,
    slots: Arc<Semaphore>,
    max_jobs: usize,
    jobs: &'a TaskTracker,
}

impl Taker<'_> {
    async fn run(&self, stop: &CancellationToken) {
        let mut pace = Pace::default();
        loop {
            if let Some(rest) = pace.rest(&self.workplace.counts) {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep(rest) => {}
                }
            }
            let Some(room) = self.room(stop).await else {
                return;
            };
            let wanted = room.num_permits();
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.workplace.pauses.over() => {}
            }
            let Some(batch) = self.take(wanted, stop).await else {
                return;
            };
            let has_all = batch.jobs.len() < wanted && !batch.is_cut;
            let next_due_ms = batch.next_due_ms;
            self.start(batch, room, stop).await;
            if has_all {
                let pause = next_due_ms.map_or(POLL, |due| until(due).min(POLL));
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.waker.jobs.notified() => {}
                    () = sleep(pause) => {}
                }
            }
        }
    }

    /// All room that there is, at least for one job; `None` at a stop.
    async fn room(&self, stop: &CancellationToken) -> Option<OwnedSemaphorePermit> {
        let first = tokio::select! {
            biased;
            () = stop.cancelled() => return None,
            slot = Arc::clone(&self.slots).acquire_owned() => slot.ok()?,
        };
        let more = self.slots.available_permits().min(self.max_jobs) as u32;
        let mut room = first;
        if let Ok(more) = Arc::clone(&self.slots).try_acquire_many_owned(more) {
            room.merge(more);
        }
        Some(room)
    }

    /// Jobs that are due. What Redis has been asked for is waited for even at a stop, so that no claim is
    /// forgotten; `None` if it does not answer then.
    async fn take(&self, wanted: usize, stop: &CancellationToken) -> Option<Batch> {
        let take = self.workplace.claims.take(wanted);
        tokio::pin!(take);
        tokio::select! {
            batch = &mut take => Some(batch),
            () = stop.cancelled() => timeout(LAST_ANSWER, take).await.ok(),
        }
    }

    /// Starts the jobs; those that must not start any more are given back, as far as Redis answers soon.
    async fn start(&self, batch: Batch, mut room: OwnedSemaphorePermit, stop: &CancellationToken) {
        let mut refused = Vec::new();
        for taken in batch.jobs {
            if stop.is_cancelled() || self.workplace.pauses.is_paused() {
                refused.push(taken);
                continue;
            }
            let slot = room.split(1);
            let workplace = Arc::clone(self.workplace);
            self.jobs.spawn(async move {
                workplace.work(taken).await;
                drop(slot);
            });
        }
        let refusals = refused.iter().map(|taken| self.workplace.refuse(taken));
        let _ = timeout(LAST_ANSWER, join_all(refusals)).await;
    }
}

/// What the taker had seen of the jobs when it last rested.
#[derive(Default)]
struct Pace {
    begun: u64,
    put_off: u64,
}

impl Pace {
    /// How long to rest before the next look, if that is wanted.
    fn rest(&mut self, counts: &Counts) -> Option<Duration> {
        let [begun, put_off] =
            [&counts.begun, &counts.put_off].map(|it| it.load(Ordering::Relaxed));
        let seen = std::mem::replace(self, Self { begun, put_off });
        let went_back = (put_off - seen.put_off) as u32;
        let rest = REST.saturating_mul(went_back).min(LONGEST_REST);
        (begun == seen.begun && went_back > 0).then_some(rest)
    }
}

/// The time until this one, in Unix milliseconds; never less than one.
fn until(due_ms: f64) -> Duration {
    Duration::from_millis((due_ms - now_ms() as f64).max(1.0) as u64)
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

/// Looks after the running jobs for ever.
async fn care(workplace: &Workplace, waker: &Waker) {
    let mut extended_at = Instant::now();
    loop {
        tokio::select! {
            () = sleep(CARE) => {}
            () = waker.care.notified() => {}
        }
        let extended = extended_at.elapsed() >= EXTENSION;
        if extended {
            extended_at = Instant::now();
        }
        let mut running = workplace.running.all();
        // A lost claim must not be taken again for a run that is about to end: nobody would end it.
        running.retain(|running| !running.is_lost());
        for running in running.chunks(KEEP_JOBS) {
            let claims: Vec<Claim> = running.iter().map(|running| running.claim()).collect();
            let standings = workplace.claims.keep(&claims, extended).await;
            for ((running, claim), standing) in running.iter().zip(&claims).zip(standings) {
                running.see(claim, standing);
            }
        }
    }
}
