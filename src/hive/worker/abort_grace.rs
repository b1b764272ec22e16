//! Remembers the ready jobs that the worker skips because a client may be about to abort them.
//!
//! ARQ's client aborts a deferred job in two steps: it sets the job's score to 1, which makes it ready, and then
//! marks it. A worker that polls in between must not run the job. ARQ's own workers poll twice a second and rarely
//! meet this; this one learns of the first step at once. A job with this score for another reason also waits for the
//! grace.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::claims::ClaimedBatch;

/// How long such a job is skipped.
const GRACE: Duration = Duration::from_millis(500);
/// How long a job is remembered that no poll has found again. The worker may have had no free slot meanwhile, so the
/// job must not wait anew; but a later job may have its id.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The skipped jobs, each with the time of the first poll that found it.
#[derive(Default)]
pub(crate) struct AbortGrace(HashMap<Vec<u8>, Instant>);

impl AbortGrace {
    /// Returns the ids of the jobs whose grace is over.
    pub(crate) fn over(&self) -> Vec<Vec<u8>> {
        let over = self.0.iter().filter(|(_, since)| since.elapsed() >= GRACE);
        over.map(|(id, _)| id.clone()).collect()
    }

    /// Remembers the jobs that this poll skipped and forgets those that it claimed.
    pub(crate) fn note(&mut self, batch: &ClaimedBatch) {
        let now = Instant::now();
        for id in &batch.passed_over {
            self.0.entry(id.clone()).or_insert(now);
        }
        if self.0.is_empty() {
            return;
        }
        for taken in &batch.jobs {
            self.0.remove(&taken.claim.id);
        }
        let passed_over = &batch.passed_over;
        self.0
            .retain(|id, since| since.elapsed() < REMEMBERED || passed_over.contains(id));
    }

    /// Returns the time until the next grace is over; `None` if no job has one.
    pub(crate) fn left(&self) -> Option<Duration> {
        let left = self
            .0
            .values()
            .map(|since| GRACE.saturating_sub(since.elapsed()));
        left.filter(|left| !left.is_zero()).min()
    }
}
