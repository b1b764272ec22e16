//! When the state file is written: soon after the first change, then seldom enough, and at a clean stop.

use std::future::pending;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::export::ExportReport;
use super::original_limit::too_large_for_the_original;
use super::state_file::{Error, StateFile};
use crate::dump::store::Store;

/// So long after a change a dump waits for more, so that a short task is in it with its end.
const SETTLE: Duration = Duration::from_millis(200);
/// The same for the first dump of a run, after which there may be none for long.
const FIRST_SETTLE: Duration = Duration::from_secs(1);
/// After a dump that took t, the next begins 100 t later at the earliest: under 1 % of the time.
const REST_FACTOR: u32 = 100;

/// When the last dump began and ended, whatever came of it.
#[derive(Clone, Copy, Debug)]
struct Last {
    began: Instant,
    ended: Instant,
}

/// Writes the state file while the service runs.
pub(crate) struct Periodic<S> {
    store: S,
    file: StateFile,
    interval: Duration,
    /// The id of the newest journal row.
    changes: watch::Receiver<i64>,
    /// When this run began, and the newest journal row then.
    start: (Instant, i64),
    /// What the newest row was when the last successful dump of this run began.
    written: Option<i64>,
    /// The last dump, if there was one in this run.
    last: Option<Last>,
    /// Whether the last dump failed; it is warned of once.
    failing: bool,
    /// Whether the last dump was too large for the original; it is warned of once.
    too_large: bool,
}

impl<S: Store> Periodic<S> {
    /// Dumps `store` to `file` when `changes`, the id of the newest journal row, has grown: the first time
    /// within seconds, then at most every `interval`; zero: only when [`Self::final_dump`] is called.
    ///
    /// After an `interval` the first dump of a run needs no change: a crash may have left the file behind
    /// the state.
    pub(crate) fn new(
        store: S,
        file: StateFile,
        interval: Duration,
        changes: watch::Receiver<i64>,
    ) -> Self {
        let start = (Instant::now(), *changes.borrow());
        Self {
            store,
            file,
            interval,
            changes,
            start,
            written: None,
            last: None,
            failing: false,
            too_large: false,
        }
    }

    /// Writes dumps until `stop`; one that is being written then is given up at once.
    pub(crate) async fn run(&mut self, stop: CancellationToken) {
        if self.interval.is_zero() {
            return stop.cancelled().await;
        }
        stop.run_until_cancelled(self.write_after_changes()).await;
    }

    async fn write_after_changes(&mut self) {
        loop {
            match self.last {
                None => self.first_is_due().await,
                Some(last) => {
                    let written = self.written;
                    self.has_changed(|newest| Some(newest) != written).await;
                    sleep_until(next_dump_at(self.interval, Instant::now(), last)).await;
                }
            }
            let dumped = self.dump().await;
            self.log(dumped);
        }
    }

    /// Waits for the first change of this run and what comes with it, but no longer than the interval.
    async fn first_is_due(&mut self) {
        let (began, newest) = self.start;
        // A time that no clock can show: never without a change.
        let latest = began.checked_add(self.interval);
        let latest = latest.map_or_else(|| pending().boxed(), |time| sleep_until(time).boxed());
        let settle = FIRST_SETTLE.min(self.interval);
        let changed = async {
            self.has_changed(|now| now != newest).await;
            sleep(settle).await;
        };
        tokio::select! {
            () = changed => {}
            () = latest => {}
        }
    }

    async fn has_changed(&mut self, is_new: impl Fn(i64) -> bool) {
        if self.changes.wait_for(|it| is_new(*it)).await.is_err() {
            // The state has no more to say, so this waits for the stop.
            pending::<()>().await;
        }
    }

    /// Writes a last dump if anything changed since the one before.
    pub(crate) async fn final_dump(&mut self) -> Result<Option<ExportReport>, Error> {
        if self.written == Some(*self.changes.borrow()) {
            return Ok(None);
        }
        self.dump().await.map(Some)
    }

    async fn dump(&mut self) -> Result<ExportReport, Error> {
        let newest = *self.changes.borrow();
        let began = Instant::now();
        let written = self.file.write(&self.store).await;
        let ended = Instant::now();
        self.last = Some(Last { began, ended });
        if let Ok(report) = &written {
            self.written = Some(newest);
            self.note_size(report.bytes);
        }
        written
    }

    fn note_size(&mut self, bytes: u64) {
        let warning = too_large_for_the_original(self.file.path(), bytes);
        if let (Some(warning), false) = (&warning, self.too_large) {
            tracing::warn!(
                "{warning}; retention_completed and retention_failed keep it small, and with \
                 state_dump = \"off\" it is not written"
            );
        }
        self.too_large = warning.is_some();
    }

    fn log(&mut self, dumped: Result<ExportReport, Error>) {
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
