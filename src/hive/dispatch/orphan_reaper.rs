//! Cancels jobs that no attempt follows: of tasks that were purged after the service stopped or died, and of tasks that
//! ended while Redis was unreachable.
//!
//! Redis names the current job of each task until an attempt's outcome has failed. A FAILED task with a current job
//! therefore has a job that was not cancelled. Tasks that this database does not know belong to another service.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::hive::dispatch::cancel::Canceller;
use crate::hive::dispatch::task_lock::{TaskLock, TaskLocks};
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys;
use crate::models::TaskId;
use crate::state::StateManager;

/// The interval between scans without a request.
const INTERVAL: Duration = Duration::from_secs(60);
/// The pause after a scan is at least this many times as long as the scan, so that a large Redis stays responsive.
const SHARE: u32 = 100;
/// The shortest pause between two scans.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// The number of keys that one SCAN visits: less than a millisecond of Redis's time.
const PAGE_KEYS: u32 = 1000;
/// The number of jobs that are cancelled at a time: each may have to wait for its worker.
const ENDED_AT_ONCE: usize = 256;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Finds orphaned jobs and cancels them.
pub(crate) struct OrphanJobReaper {
    pub(crate) line: RedisHandle,
    pub(crate) locks: TaskLocks,
    pub(crate) canceller: Arc<Canceller>,
    pub(crate) state: StateManager,
}

impl OrphanJobReaper {
    /// Scans on request and at intervals, for ever.
    pub(crate) async fn run(self) {
        loop {
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = self.canceller.reap_requested() => {}
                () = self.state.waiting_ended() => {}
            }
            let mut looked = Duration::ZERO;
            if let Err(error) = self.reap(&mut looked).await {
                tracing::debug!(%error, "could not look for all orphaned jobs");
            }
            sleep(SHORTEST_PAUSE.max(looked * SHARE)).await;
        }
    }

    /// Completes pending cancellations, then cancels the current jobs of FAILED tasks. Adds the time that the scan
    /// kept Redis busy to `looked`.
    async fn reap(&self, looked: &mut Duration) -> Result<(), Error> {
        let mut connection = self.line.clone().connection().await;
        let pending = self.canceller.all_pending();
        self.cancel_all(self.locked_tasks(pending)).await;
        let mut cursor = 0;
        loop {
            let began = Instant::now();
            let (next, names): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
                .arg(cursor)
                .arg("MATCH")
                .arg(format!("{}*", keys::CURRENT))
                .arg("COUNT")
                .arg(PAGE_KEYS)
                .query_async(&mut connection)
                .await?;
            *looked += began.elapsed();
            let tasks = names.iter().filter_map(|name| keys::task_of_current(name));
            let locks = self.locked_tasks(tasks);
            self.cancel_all(self.of_failed(locks).await?).await;
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Locks those of the tasks whose job no attempt follows.
    fn locked_tasks(&self, tasks: impl IntoIterator<Item = TaskId>) -> Vec<TaskLock> {
        let tasks = tasks.into_iter();
        tasks.filter_map(|task| self.locks.try_lock(task)).collect()
    }

    /// Returns the locks of FAILED tasks. It reads the statuses under the lock, so an attempt that begins later waits
    /// for it.
    async fn of_failed(&self, mut locks: Vec<TaskLock>) -> Result<Vec<TaskLock>, Error> {
        if !locks.is_empty() {
            let tasks: Vec<_> = locks.iter().map(TaskLock::task).collect();
            let failed = self.state.failed_among(&tasks).await?;
            locks.retain(|lock| failed.contains(&lock.task()));
        }
        Ok(locks)
    }

    async fn cancel_all(&self, locks: Vec<TaskLock>) {
        let canceller = locks.into_iter().map(async |lock| {
            let task_id = lock.task();
            match self.canceller.cancel(&lock, None).await {
                Ok(true) => tracing::info!(%task_id, "cancelled an orphaned job"),
                Ok(false) => {}
                Err(error) => {
                    tracing::info!(%task_id, "an orphaned job may still run: {error}");
                }
            }
        });
        let canceller = stream::iter(canceller).buffer_unordered(ENDED_AT_ONCE);
        canceller.for_each(async |()| {}).await;
    }
}
