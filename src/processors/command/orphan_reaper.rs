//! Kills what finished attempts left running outside their process groups.
//!
//! A program can leave its group (`setsid`) and live on. Finding such processes means reading all of `/proc`, too much for
//! the end of each attempt. So finished attempts are collected, and one scan a second serves all of them. The processes
//! of an attempt carry the random id of its run, so a scan never disturbs the task's next attempt, nor another service
//! that runs the same one again.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use uuid::Uuid;

use crate::processors::command::orphans::kill_leftovers;

/// The time from the end of an attempt to the scan, and between two scans.
const PAUSE: Duration = Duration::from_secs(1);

/// Shared by all commands.
#[derive(Default)]
pub(crate) struct OrphanProcessReaper(Mutex<Ended>);

#[derive(Default)]
struct Ended {
    runs: HashSet<Uuid>,
    /// True while a scan is scheduled.
    is_due: bool,
}

impl OrphanProcessReaper {
    /// Schedules a scan for what this ended run left.
    pub(crate) fn ended(self: &Arc<Self>, run: Uuid) {
        if !cfg!(target_os = "linux") {
            return;
        }
        let mut ended = self.lock();
        ended.runs.insert(run);
        if !std::mem::replace(&mut ended.is_due, true) {
            let process_reaper = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(PAUSE).await;
                process_reaper.reap().await;
            });
        }
    }

    /// Scans at once: when a scan is scheduled, and when the service stops.
    pub(crate) async fn reap(&self) {
        let runs = {
            let mut ended = self.lock();
            ended.is_due = false;
            std::mem::take(&mut ended.runs)
        };
        if runs.is_empty() {
            return;
        }
        let killed = tokio::task::spawn_blocking(move || kill_leftovers(&runs)).await;
        match killed.map_err(std::io::Error::other).flatten() {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "killed what finished attempts left running"),
            Err(error) => {
                tracing::warn!(%error, "cannot look for what finished attempts left running");
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ended> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
