//! The retention loop: deletes finished tasks whose retention time is over and idempotency keys after a day, then
//! returns free space to the file system.
//!
//! It runs beside the Writer, finds rows on the read pool, and hands them to the Writer in small chunks. It rests after
//! each chunk, so that it hardly delays other work.
//!
//! After the clock was set, nothing is deleted by age until the clock has been steady for a while: a wrong clock would
//! delete too much.
//!
//! It divides the rows into stretches and remembers the earliest finish time of each. A stretch is skipped until that
//! time is old enough. So a sweep costs as much as it deletes, however many tasks are kept.

mod stretch;

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::models::{Clock, Reading, Timestamp};
use crate::state::commands::bulk::{BulkChange, ChangeFound};
use crate::state::commands::maintenance::{ForgetKeys, SPARE_PAGES, ShrinkFile};
use crate::state::error::Error;
use crate::state::query::list::FoundTask;
use crate::state::store::StateManager;
use stretch::{Old, Stretch, completed_before, end_of_stretch, failed_before, join, stretch_at};

/// Time between two sweeps.
const PERIOD: Duration = Duration::from_secs(60);
/// Time to keep the answer to an `Idempotency-Key`.
const KEYS_KEPT: Duration = Duration::from_hours(24);
/// Distance from the newest event above which the clock is not trusted at startup.
const KNOWN_SECONDS: f64 = 3600.0;
/// Rows deleted in one transaction.
const CHUNK_ROWS: i64 = 100;

/// How long finished tasks are kept; `None`: without limit.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Retention {
    pub(crate) completed: Option<Duration>,
    pub(crate) failed: Option<Duration>,
}

impl StateManager {
    /// Sweeps now and then every minute, until `stop`; `retention` is asked each time.
    pub(crate) async fn keep_small(
        &self,
        retention: impl Fn() -> Retention,
        stop: CancellationToken,
    ) {
        let _ = stop
            .run_until_cancelled(async {
                let mut known = Vec::new();
                let mut clock = self.clock_at_start();
                loop {
                    if let Err(error) = self.sweep(retention(), &mut clock, &mut known).await {
                        tracing::warn!(%error, "cannot delete old tasks; trying again in a minute");
                    }
                    tokio::time::sleep(PERIOD).await;
                }
            })
            .await;
    }

    /// A clock to delete by: one that is far ahead of what the journal knows may be wrong, or the service has
    /// not run for long.
    fn clock_at_start(&self) -> Clock {
        let now = Reading::now();
        let far = |newest: Timestamp| now.time.seconds_since(newest).abs() > KNOWN_SECONDS;
        match self.newest_at_start.filter(|newest| far(*newest)) {
            None => Clock::trusted(now),
            Some(newest) => {
                tracing::info!(
                    "the clock differs by more than an hour from the newest event ({newest}): retention waits until \
                     the clock has been steady for 10 minutes"
                );
                Clock::new(now.time, now.instant)
            }
        }
    }

    async fn sweep(
        &self,
        retention: Retention,
        clock: &mut Clock,
        known: &mut Vec<Stretch>,
    ) -> Result<(), Error> {
        let Reading { time, instant } = Reading::now();
        if clock.was_set(time, instant) {
            // The times of the stretches come from another clock.
            known.clear();
        }
        if clock.is_steady(instant) {
            self.delete_by_age(retention, time, known).await?;
        } else {
            tracing::debug!("retention waits until the clock is steady");
        }
        let mut left = i64::MAX;
        loop {
            let before = std::mem::replace(&mut left, self.ask_and_rest(ShrinkFile).await?);
            if left <= SPARE_PAGES || left >= before {
                return Ok(());
            }
        }
    }

    async fn delete_by_age(
        &self,
        retention: Retention,
        now: Timestamp,
        known: &mut Vec<Stretch>,
    ) -> Result<(), Error> {
        let deleted = self.delete_old(retention, now, known).await?;
        if deleted > 0 {
            tracing::info!(tasks = deleted, "old tasks deleted");
        }
        let before = now.before(KEYS_KEPT);
        while self.ask_and_rest(ForgetKeys(before)).await? > 0 {}
        Ok(())
    }

    /// Deletes what has been kept long enough; how many. `known` is what the last sweep has seen, and
    /// empty after an error: then everything is looked through again.
    async fn delete_old(
        &self,
        retention: Retention,
        now: Timestamp,
        known: &mut Vec<Stretch>,
    ) -> Result<u64, Error> {
        let old = Old::of(retention, now);
        if old.is_nothing() {
            return Ok(0);
        }
        let (mut after, mut deleted) = (0, 0);
        let mut swept = Vec::new();
        for stretch in std::mem::take(known) {
            let upto = stretch.upto;
            let stretch = match stretch.may_hold(&old) {
                true => {
                    deleted += self.delete_between(after, upto, &old).await?;
                    self.look_at(after, upto, now).await?
                }
                false => stretch,
            };
            join(&mut swept, stretch);
            after = upto;
        }
        // Then the rows that have arrived since. The last of them do not fill a stretch.
        while let Some(upto) = end_of_stretch(&self.read, after).await? {
            deleted += self.delete_between(after, upto, &old).await?;
            join(&mut swept, self.look_at(after, upto, now).await?);
            after = upto;
        }
        deleted += self.delete_between(after, i64::MAX, &old).await?;
        *known = swept;
        Ok(deleted)
    }

    /// Deletes what is old after row `after` and up to row `upto`; how many.
    async fn delete_between(&self, after: i64, upto: i64, old: &Old) -> Result<u64, Error> {
        let mut deleted = 0;
        if let Some(time) = &old.completed {
            let mut after = after;
            loop {
                let found = completed_before(&self.read, after, upto, time).await?;
                let Some(last) = found.last() else { break };
                after = last.seq;
                deleted += self.delete_found(found).await?;
            }
        }
        if let Some(time) = &old.failed {
            let mut after = after;
            loop {
                let found = failed_before(&self.read, after, upto, time).await?;
                let Some(last) = found.last() else { break };
                after = last.seq;
                deleted += self.delete_found(found).await?;
            }
        }
        Ok(deleted)
    }

    async fn delete_found(&self, found: Vec<FoundTask>) -> Result<u64, Error> {
        // A later sweep deletes the tasks whose results open tasks need now.
        let change = ChangeFound(BulkChange::Delete, found);
        Ok(self.ask_and_rest(change).await?.changed)
    }

    /// Reads the stretch after row `after` up to row `upto`, then sleeps for as long as the read took.
    async fn look_at(&self, after: i64, upto: i64, now: Timestamp) -> Result<Stretch, Error> {
        let begun = Instant::now();
        let stretch = stretch_at(&self.read, after, upto, now).await?;
        tokio::time::sleep(begun.elapsed()).await;
        Ok(stretch)
    }
}
