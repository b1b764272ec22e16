//! The jobs that run in this worker: their claims, and how to stop them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio_util::sync::CancellationToken;

use super::claims::{Claim, Standing};

/// All jobs that run, by id.
#[derive(Default)]
pub(crate) struct RunningSet(Mutex<HashMap<Vec<u8>, Arc<Running>>>);

/// One job that runs.
pub(crate) struct Running {
    held: Mutex<Held>,
    pub(crate) stop: CancellationToken,
    reason: OnceLock<Reason>,
}

/// The claim under which a job runs.
struct Held {
    claim: Claim,
    /// Another worker has the job, or it is gone.
    is_lost: bool,
}

/// Why a job has to end before its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// A client wants that.
    Abort,
    /// The worker stops.
    Shutdown,
    /// Another worker has the job, or it is gone.
    Lost,
}

impl RunningSet {
    /// Adds a job. `None` if it runs already: its claim had expired, and what runs goes on under this one.
    pub(crate) fn add(&self, claim: &Claim) -> Option<Arc<Running>> {
        let mut jobs = self.jobs();
        if let Some(running) = jobs.get(&claim.id) {
            *running.held() = Held::new(claim);
            return None;
        }
        let running = Arc::new(Running {
            held: Mutex::new(Held::new(claim)),
            stop: CancellationToken::new(),
            reason: OnceLock::new(),
        });
        jobs.insert(claim.id.clone(), Arc::clone(&running));
        Some(running)
    }

    /// Removes a job that has ended, unless it was claimed again after `settled`; whether it is gone.
    pub(crate) fn remove(&self, settled: &Claim) -> bool {
        let mut jobs = self.jobs();
        let is_same = |running: &Arc<Running>| running.held().claim.token == settled.token;
        if !jobs.get(&settled.id).is_some_and(is_same) {
            return false;
        }
        jobs.remove(&settled.id).is_some()
    }

    pub(crate) fn all(&self) -> Vec<Arc<Running>> {
        self.jobs().values().cloned().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.jobs().len()
    }

    fn jobs(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Running>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Running {
    pub(crate) fn claim(&self) -> Claim {
        self.held().claim.clone()
    }

    /// Whether this claim is another worker's by now, or the job is gone.
    pub(crate) fn has_lost(&self, claim: &Claim) -> bool {
        let held = self.held();
        held.is_lost && held.claim.token == claim.token
    }

    /// Whether it has lost its claim, and was not claimed again.
    pub(crate) fn is_lost(&self) -> bool {
        self.held().is_lost
    }

    /// The job counts as this start, and later ones on from there.
    pub(crate) fn set_start(&self, start: i64) -> Claim {
        let mut held = self.held();
        held.claim.start = start;
        held.claim.clone()
    }

    /// Why the job has to end; the first reason counts.
    pub(crate) fn reason(&self) -> Option<Reason> {
        self.reason.get().copied()
    }

    pub(crate) fn stop(&self, reason: Reason) {
        // A job that is out of time keeps that as its reason.
        if !self.stop.is_cancelled() {
            let _ = self.reason.set(reason);
            self.stop.cancel();
        }
    }

    /// What Redis says of the claim `seen`.
    pub(crate) fn see(&self, seen: &Claim, standing: Standing) {
        match standing {
            Standing::Kept => {}
            Standing::Aborted => self.stop(Reason::Abort),
            Standing::Lost => {
                if self.note_lost(seen) {
                    self.stop(Reason::Lost);
                }
            }
        }
    }

    /// Whether the claim `seen` is the one that is lost: it may have been claimed again since.
    fn note_lost(&self, seen: &Claim) -> bool {
        let mut held = self.held();
        let is_same = held.claim.token == seen.token;
        held.is_lost |= is_same;
        is_same
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn new(claim: &Claim) -> Self {
        Self {
            claim: claim.clone(),
            is_lost: false,
        }
    }
}
