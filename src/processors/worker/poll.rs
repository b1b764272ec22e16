//! One worker's wait for tasks, from its offer to its answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::PATIENCE;
use super::assignment::{Assigned, Assignment};
use super::desk::Desk;
use crate::models::OfferId;
use crate::state::{Error, StateManager};

/// A wait for tasks. Dropped before it has answered, it takes none: what has started for it goes to
/// another poll or back.
pub struct Poll {
    desk: Arc<Desk>,
    state: StateManager,
    id: OfferId,
    processors: Vec<String>,
    limit: usize,
    news: Arc<Notify>,
    /// The Writer may know of the offer.
    is_offered: bool,
}

impl Poll {
    /// Up to `limit` tasks of these processors are wanted.
    pub fn new(
        desk: Arc<Desk>,
        state: StateManager,
        processors: Vec<String>,
        limit: usize,
    ) -> Self {
        let news = Arc::new(Notify::new());
        let id = desk.join(&processors, limit, Arc::clone(&news));
        Self {
            desk,
            state,
            id,
            processors,
            limit,
            news,
            is_offered: false,
        }
    }

    /// What is there, or the first that come; nothing when `wait` is over or at `stop`. `worker` is a
    /// name for the tasks' logs.
    ///
    /// # Errors
    /// When the Writer is gone.
    pub async fn tasks(
        mut self,
        wait: Duration,
        worker: Option<&str>,
        stop: &CancellationToken,
    ) -> Result<Vec<Assigned>, Error> {
        if self.desk.count(self.id).0 == 0 {
            self.offer(wait, stop).await?;
        }
        let mut got = self.desk.leave(self.id);
        got.sort_by_key(Assignment::place);
        let got = got.into_iter();
        Ok(got.filter_map(|task| task.take(worker)).collect())
    }

    async fn offer(&mut self, wait: Duration, stop: &CancellationToken) -> Result<(), Error> {
        let limit = self.limit as u64;
        self.is_offered = true;
        let offered = self.state.offer(self.id, self.processors.clone(), limit);
        offered.await?;
        tokio::select! {
            () = self.until(|got, arrived| got > 0 || arrived > 0) => {}
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => {}
        }
        let left = self.state.withdraw(self.id).await?;
        self.is_offered = false;
        // The others that have started are on their way, unless they were stopped on it.
        let started = limit.saturating_sub(left);
        let _ = timeout(PATIENCE, self.until(|_, arrived| arrived >= started)).await;
        Ok(())
    }

    /// Waits until it holds of the tasks that lie there and those that have arrived.
    async fn until(&self, holds: impl Fn(usize, u64) -> bool) {
        loop {
            let (got, arrived) = self.desk.count(self.id);
            if holds(got, arrived) {
                return;
            }
            self.news.notified().await;
        }
    }
}

impl Drop for Poll {
    fn drop(&mut self) {
        let left: Vec<Assignment> = self.desk.leave(self.id);
        self.desk.put_back(left);
        if let (true, Ok(runtime)) = (self.is_offered, Handle::try_current()) {
            let (state, id) = (self.state.clone(), self.id);
            runtime.spawn(async move { state.withdraw(id).await });
        }
    }
}
