//! The running jobs of this worker: their claims, and how to stop them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::claims::{ClaimState, JobClaim};

/// All running jobs, by id.
#[derive(Default)]
pub(crate) struct RunningJobs(Mutex<HashMap<Vec<u8>, Arc<RunningJob>>>);

/// One running job.
pub(crate) struct RunningJob {
    held: Mutex<HeldClaim>,
    pub(crate) stop: CancellationToken,
    reason: OnceLock<StopCause>,
}

/// The claim under which a job runs.
struct HeldClaim {
    claim: JobClaim,
    /// True if another worker has the job, or it no longer exists.
    is_lost: bool,
}

/// Why a job has to end early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StopCause {
    /// A client wants it aborted.
    Abort,
    /// The worker stops.
    Shutdown,
    /// Another worker has the job, or it no longer exists.
    Lost,
}

impl RunningJobs {
    /// Adds a job. Returns `None` if it already runs: its claim had expired, and the run continues under this one.
    pub(crate) fn add(&self, claim: &JobClaim) -> Option<Arc<RunningJob>> {
        let mut jobs = self.jobs();
        if let Some(running) = jobs.get(&claim.id) {
            *running.held() = HeldClaim::new(claim);
            return None;
        }
        let running = Arc::new(RunningJob {
            held: Mutex::new(HeldClaim::new(claim)),
            stop: CancellationToken::new(),
            reason: OnceLock::new(),
        });
        jobs.insert(claim.id.clone(), Arc::clone(&running));
        Some(running)
    }

    /// Removes an ended job, unless it was claimed again after `settled`; returns true if removed.
    pub(crate) fn remove(&self, settled: &JobClaim) -> bool {
        let mut jobs = self.jobs();
        let is_same = |running: &Arc<RunningJob>| running.held().claim.token == settled.token;
        if !jobs.get(&settled.id).is_some_and(is_same) {
            return false;
        }
        jobs.remove(&settled.id).is_some()
    }

    pub(crate) fn all(&self) -> Vec<Arc<RunningJob>> {
        self.jobs().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs().len()
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<RunningJob>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl RunningJob {
    pub(crate) fn claim(&self) -> JobClaim {
        self.held().claim.clone()
    }

    /// Returns true if another worker has this claim's job, or the job no longer exists.
    pub(crate) fn has_lost(&self, claim: &JobClaim) -> bool {
        let held = self.held();
        held.is_lost && held.claim.token == claim.token
    }

    /// Returns true if the job has lost its claim and was not claimed again.
    pub(crate) fn is_lost(&self) -> bool {
        self.held().is_lost
    }

    /// Sets the number of this start; later starts count on from there.
    pub(crate) fn set_start(&self, start: i64) -> JobClaim {
        let mut held = self.held();
        held.claim.start = start;
        held.claim.clone()
    }

    /// Returns why the job has to end; the first cause counts.
    pub(crate) fn reason(&self) -> Option<StopCause> {
        self.reason.get().copied()
    }

    pub(crate) fn stop(&self, reason: StopCause) {
        // A timed-out job keeps that cause.
        if !self.stop.is_cancelled() {
            let _ = self.reason.set(reason);
            self.stop.cancel();
        }
    }

    /// Applies the state that Redis reported for the claim `seen`.
    pub(crate) fn see(&self, seen: &JobClaim, standing: ClaimState) {
        match standing {
            ClaimState::Kept => {}
            ClaimState::Aborted => self.stop(StopCause::Abort),
            ClaimState::Lost => {
                if self.note_lost(seen) {
                    self.stop(StopCause::Lost);
                }
            }
        }
    }

    /// Marks the claim `seen` as lost; returns false if the job was claimed again since.
    fn note_lost(&self, seen: &JobClaim) -> bool {
        let mut held = self.held();
        let is_same = held.claim.token == seen.token;
        held.is_lost |= is_same;
        is_same
    }

    fn held(&self) -> MutexGuard<'_, HeldClaim> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl HeldClaim {
    fn new(claim: &JobClaim) -> Self {
        Self {
            claim: claim.clone(),
            is_lost: false,
        }
    }
}
