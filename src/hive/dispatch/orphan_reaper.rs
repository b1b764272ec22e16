//! Ends the jobs that nobody wants any more, and that no attempt follows: of tasks that were purged while they
//! waited again because the service had stopped or died, and of those that ended while Redis was away.
//!
//! Redis names the current job of each task, until an attempt's outcome has failed. So a task that is FAILED and
//! still has one has a job that nobody has ended, whatever has happened to the service meanwhile. Tasks that this
//! database does not know are another service's.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::hive::dispatch::cancel::Ends;
use crate::hive::dispatch::task_lock::{Turn, Turns};
use crate::hive::redis::connection::Line;
use crate::hive::redis::keys;
use crate::models::TaskId;
use crate::state::StateManager;

/// How often they are looked for when nothing has happened.
const INTERVAL: Duration = Duration::from_secs(60);
/// The pause after a look is at least so many times as long as the look: a large Redis is not kept busy.
const SHARE: u32 = 100;
/// The shortest pause, whatever happens meanwhile.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// Keys that one command looks at: less than a millisecond of Redis's time.
const PAGE_KEYS: u32 = 1000;
/// Jobs that are ended at a time: each may have to wait for its worker.
const ENDED_AT_ONCE: usize = 256;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Looks for jobs to end.
pub(crate) struct Sweeper {
    pub(crate) line: Line,
    pub(crate) turns: Turns,
    pub(crate) ends: Arc<Ends>,
    pub(crate) state: StateManager,
}

impl Sweeper {
    /// Looks whenever there is cause, and now and then, for ever.
    pub(crate) async fn run(self) {
        loop {
            tokio::select! {
                () = sleep(INTERVAL) => {}
                () = self.ends.sweep_wanted() => {}
                () = self.state.waiting_ended() => {}
            }
            let mut looked = Duration::ZERO;
            if let Err(error) = self.sweep(&mut looked).await {
                tracing::debug!(%error, "not all jobs that nobody wants were looked for");
            }
            sleep(SHORTEST_PAUSE.max(looked * SHARE)).await;
        }
    }

    /// Ends what is owed, then whatever Redis names of tasks that are FAILED; `looked` is how long Redis was busy
    /// with that.
    async fn sweep(&self, looked: &mut Duration) -> Result<(), Error> {
        let mut connection = self.line.clone().connection().await;
        let owed = self.ends.all_owed();
        self.end_all(self.turns_with(owed)).await;
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
            let turns = self.turns_with(tasks);
            self.end_all(self.of_failed(turns).await?).await;
            cursor = next;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Turns with those whose job no attempt follows.
    fn turns_with(&self, tasks: impl IntoIterator<Item = TaskId>) -> Vec<Turn> {
        let tasks = tasks.into_iter();
        tasks.filter_map(|task| self.turns.try_take(task)).collect()
    }

    /// Those with tasks that are FAILED. Asked after the turn was taken: an attempt that begins from then on waits
    /// for it.
    async fn of_failed(&self, mut turns: Vec<Turn>) -> Result<Vec<Turn>, Error> {
        if !turns.is_empty() {
            let tasks: Vec<_> = turns.iter().map(Turn::task).collect();
            let failed = self.state.failed_among(&tasks).await?;
            turns.retain(|turn| failed.contains(&turn.task()));
        }
        Ok(turns)
    }

    async fn end_all(&self, turns: Vec<Turn>) {
        let ends = turns.into_iter().map(async |turn| {
            let task_id = turn.task();
            match self.ends.end(&turn, None).await {
                Ok(true) => tracing::info!(%task_id, "ended a job that nobody wants any more"),
                Ok(false) => {}
                Err(error) => {
                    tracing::info!(%task_id, "a job that nobody wants may still run: {error}");
                }
            }
        });
        let ends = stream::iter(ends).buffer_unordered(ENDED_AT_ONCE);
        ends.for_each(async |()| {}).await;
    }
}
