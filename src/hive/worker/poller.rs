//! The loop that claims jobs while there are free slots: at once when Redis reports one, when the next becomes ready,
//! and twice a second in any case.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::hive::clock::now_ms;
use crate::hive::worker::abort_grace::AbortGrace;
use crate::hive::worker::claims::{ClaimedBatch, LAST_ANSWER};
use crate::hive::worker::job_runner::{WorkerContext, WorkerCounts};
use crate::hive::worker::listener::Wakeups;

/// The poll interval without events of Redis.
const POLL: Duration = Duration::from_millis(500);
/// How long the poller rests for each returned job while none starts. It skips at most a hundred a second of a
/// backlog whose processor is busy or paused, to find the jobs of others behind them.
const REST: Duration = Duration::from_millis(10);
const LONGEST_REST: Duration = Duration::from_secs(1);

/// Claims jobs while there are free slots.
pub(crate) struct WorkerPoller<'a> {
    pub(crate) worker: &'a Arc<WorkerContext>,
    pub(crate) wakeups: &'a Wakeups,
    pub(crate) slots: Arc<Semaphore>,
    pub(crate) max_jobs: usize,
    pub(crate) jobs: &'a TaskTracker,
}

impl WorkerPoller<'_> {
    /// Claims jobs until `stop`.
    pub(crate) async fn run(&self, stop: &CancellationToken) {
        let mut pace = Backpressure::default();
        let mut grace = AbortGrace::default();
        loop {
            if let Some(rest) = pace.rest(&self.worker.counts) {
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
                () = self.worker.pauses.over() => {}
            }
            let Some(batch) = self.take(wanted, &grace.over(), stop).await else {
                return;
            };
            let has_all = batch.jobs.len() < wanted && !batch.is_cut;
            grace.note(&batch);
            let due = batch.next_due_ms.map_or(POLL, until);
            let pause = grace.left().map_or(due, |left| left.min(due)).min(POLL);
            self.start(batch, room, stop).await;
            if has_all {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.wakeups.jobs.notified() => {}
                    () = sleep(pause) => {}
                }
            }
        }
    }

    /// Reserves all free slots, at least one; `None` at a stop.
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

    /// Claims ready jobs. It waits for a sent command even at a stop, so that no claim is forgotten; `None` if Redis
    /// does not answer then.
    async fn take(
        &self,
        wanted: usize,
        passed_over_enough: &[Vec<u8>],
        stop: &CancellationToken,
    ) -> Option<ClaimedBatch> {
        let take = self.worker.claims.take(wanted, passed_over_enough);
        tokio::pin!(take);
        tokio::select! {
            batch = &mut take => Some(batch),
            () = stop.cancelled() => timeout(LAST_ANSWER, take).await.ok(),
        }
    }

    /// Starts the jobs. Returns those that must not start to their queue, as far as Redis answers soon.
    async fn start(
        &self,
        batch: ClaimedBatch,
        mut room: OwnedSemaphorePermit,
        stop: &CancellationToken,
    ) {
        let mut refused = Vec::new();
        for taken in batch.jobs {
            if stop.is_cancelled() || self.worker.pauses.is_paused() {
                refused.push(taken);
                continue;
            }
            let slot = room.split(1);
            let worker = Arc::clone(self.worker);
            self.jobs.spawn(async move {
                worker.work(taken).await;
                drop(slot);
            });
        }
        let refusals = refused.iter().map(|taken| self.worker.refuse(taken));
        let _ = timeout(LAST_ANSWER, join_all(refusals)).await;
    }
}

/// The worker's counts when the poller last rested.
#[derive(Default)]
struct Backpressure {
    begun: u64,
    put_off: u64,
}

impl Backpressure {
    /// Returns how long to rest before the next poll; `None` for no rest.
    fn rest(&mut self, counts: &WorkerCounts) -> Option<Duration> {
        let [begun, put_off] =
            [&counts.begun, &counts.put_off].map(|it| it.load(Ordering::Relaxed));
        let seen = std::mem::replace(self, Self { begun, put_off });
        let went_back = (put_off - seen.put_off) as u32;
        let rest = REST.saturating_mul(went_back).min(LONGEST_REST);
        (begun == seen.begun && went_back > 0).then_some(rest)
    }
}

/// Returns the time until this one in Unix milliseconds, at least one millisecond.
fn until(due_ms: f64) -> Duration {
    Duration::from_millis((due_ms - now_ms() as f64).max(1.0) as u64)
}
