//! Remembers the due jobs that the worker passes over because a client may be about to abort them.
//!
//! ARQ's client aborts a deferred job in two steps: it gives the job the score 1, which makes it due, and then marks
//! it. A worker that looks in between must not run the job. ARQ's own workers meet this seldom, since they look twice
//! a second; ours hears of the first step at once. A job that has this score for another reason waits for the grace.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::claims::ClaimedBatch;

/// How long such a job is passed over.
const GRACE: Duration = Duration::from_millis(500);
/// How long a job is remembered that no look has found again. The worker may have had no room for it meanwhile, so it
/// must not wait anew; but a later job may have its id.
const REMEMBERED: Duration = Duration::from_secs(60);

/// The jobs that were passed over, each with the time of the first look that found it.
#[derive(Default)]
pub(crate) struct AbortGrace(HashMap<Vec<u8>, Instant>);

impl AbortGrace {
    /// The ids of the jobs that were passed over long enough.
    pub(crate) fn over(&self) -> Vec<Vec<u8>> {
        let over = self.0.iter().filter(|(_, since)| since.elapsed() >= GRACE);
        over.map(|(id, _)| id.clone()).collect()
    }

    /// Remembers the jobs that this look has passed over, and forgets those that it has taken.
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

    /// The time until the next grace is over; `None` if no job has one.
    pub(crate) fn left(&self) -> Option<Duration> {
        let left = self
            .0
            .values()
            .map(|since| GRACE.saturating_sub(since.elapsed()));
        left.filter(|left| !left.is_zero()).min()
    }
}
