//! The sweeper: ends what finished attempts left running outside their groups.
//!
//! A program can leave its group (`setsid`) and live on. Looking for such processes means reading all of
//! `/proc`, which is too much for the end of each attempt. So attempts that have ended are collected, and
//! one look a second serves all of them. The processes of an attempt carry its number, so a look never
//! disturbs the task's next attempt.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::orphans::kill_leftovers;
use crate::models::TaskId;

/// From the end of an attempt to the look, and between two looks.
const PAUSE: Duration = Duration::from_secs(1);

/// Shared by all commands.
#[derive(Default)]
pub(in crate::processors) struct Sweeper(Mutex<Ended>);

#[derive(Default)]
struct Ended {
    attempts: HashSet<(TaskId, i64)>,
    /// Whether a look is on its way.
    is_due: bool,
}

impl Sweeper {
    /// The attempt has ended; soon nothing of it runs any more.
    pub(super) fn ended(self: &Arc<Self>, task: TaskId, attempt: i64) {
        if !cfg!(target_os = "linux") {
            return;
        }
        let mut ended = self.lock();
        ended.attempts.insert((task, attempt));
        if !std::mem::replace(&mut ended.is_due, true) {
            let sweeper = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(PAUSE).await;
                sweeper.sweep().await;
            });
        }
    }

    /// The attempt begins. It had a number before if its end was lost on the way to another machine.
    pub(super) fn begins(&self, task: TaskId, attempt: i64) {
        self.lock().attempts.remove(&(task, attempt));
    }

    /// Looks at once: at the end of the service, and when it is time.
    pub async fn sweep(&self) {
        let attempts = {
            let mut ended = self.lock();
            ended.is_due = false;
            std::mem::take(&mut ended.attempts)
        };
        if attempts.is_empty() {
            return;
        }
        let killed = tokio::task::spawn_blocking(move || kill_leftovers(&attempts)).await;
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
