//! When the state file is written: after changes, seldom enough, and at a clean stop.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Store;
use super::export::Report;
use super::state_file::{Error, StateFile};

/// So long after a change a dump waits for more, so that a short task is in it with its end.
const SETTLE: Duration = Duration::from_millis(200);
/// After a dump that took t, the next begins 100 t later at the earliest: under 1 % of the time.
const REST_FACTOR: u32 = 100;

/// When the last dump began and ended, whatever came of it.
#[derive(Clone, Copy, Debug)]
struct Last {
    began: Instant,
    ended: Instant,
}

/// Writes the state file while the service runs.
pub struct Periodic<S> {
    store: S,
    file: StateFile,
    interval: Duration,
    /// The id of the newest journal row.
    changes: watch::Receiver<i64>,
    /// What that was when the last successful dump of this run began.
    written: Option<i64>,
    last: Last,
    /// Whether the last dump failed; it is warned of once.
    failing: bool,
}

impl<S: Store> Periodic<S> {
    /// Dumps `store` to `file` when `changes`, the id of the newest journal row, has grown, at most
    /// every `interval`; zero: only when [`Self::final_dump`] is called.
    ///
    /// The first dump of a run needs no change: a crash may have left the file behind the state.
    pub fn new(
        store: S,
        file: StateFile,
        interval: Duration,
        changes: watch::Receiver<i64>,
    ) -> Self {
        let now = Instant::now();
        Self {
            store,
            file,
            interval,
            changes,
            written: None,
            last: Last {
                began: now,
                ended: now,
            },
            failing: false,
        }
    }

    /// Writes dumps until `stop`; one that is being written then is given up at once.
    pub async fn run(&mut self, stop: CancellationToken) {
        if self.interval.is_zero() {
            return stop.cancelled().await;
        }
        stop.run_until_cancelled(self.write_after_changes()).await;
    }

    async fn write_after_changes(&mut self) {
        loop {
            let written = self.written;
            let changed = self.changes.wait_for(|newest| Some(*newest) != written);
            if changed.await.is_err() {
                // The state has no more to say, so this waits for the stop.
                return std::future::pending().await;
            }
            sleep_until(next_dump_at(self.interval, Instant::now(), self.last)).await;
            let dumped = self.dump().await;
            self.log(dumped);
        }
    }

    /// Writes a last dump if anything changed since the one before.
    pub async fn final_dump(&mut self) -> Result<Option<Report>, Error> {
        if self.written == Some(*self.changes.borrow()) {
            return Ok(None);
        }
        self.dump().await.map(Some)
    }

    async fn dump(&mut self) -> Result<Report, Error> {
        let newest = *self.changes.borrow();
        let began = Instant::now();
        let written = self.file.write(&self.store).await;
        let ended = Instant::now();
        self.last = Last { began, ended };
        if written.is_ok() {
            self.written = Some(newest);
        }
        written
    }

    fn log(&mut self, dumped: Result<Report, Error>) {
        match dumped {
            Ok(report) => {
                let path = self.file.path().display();
                if std::mem::take(&mut self.failing) {
                    tracing::info!("{path} is written again");
                }
                tracing::debug!("wrote {} tasks to {path}", report.tasks);
            }
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!("the state was not dumped, which is tried again: {error}");
            }
            Err(error) => tracing::debug!("the state was not dumped: {error}"),
        }
    }
}

/// When the dump after a change at `changed_at` may begin.
fn next_dump_at(interval: Duration, changed_at: Instant, last: Last) -> Instant {
    let took = last.ended - last.began;
    let rest = took.saturating_mul(REST_FACTOR);
    let times = [
        changed_at.checked_add(SETTLE.min(interval)),
        last.began.checked_add(interval),
        last.ended.checked_add(rest),
    ];
    let latest = times.into_iter().collect::<Option<Vec<_>>>();
    let latest = latest.and_then(|times| times.into_iter().max());
    // A time that no clock can show: ask again tomorrow.
    latest.unwrap_or(changed_at + Duration::from_secs(24 * 60 * 60))
}

#[cfg(test)]
mod tests;
