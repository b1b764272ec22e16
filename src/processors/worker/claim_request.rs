//! One claim request of a worker, from its offer to its response.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::models::OfferId;
use crate::processors::worker::hand_off::{AssignedTask, HandOff};
use crate::processors::worker::lease_broker::LeaseBroker;
use crate::state::{Error, StateManager};

/// How long a claim waits for attempts that started for it. They are on their way, so this ends only in a broken
/// service.
const PATIENCE: Duration = Duration::from_secs(10);

/// A claim that waits for tasks. If it is dropped before it has answered, it takes none: attempts that started for it
/// are returned.
pub(crate) struct ClaimRequest {
    lease_broker: Arc<LeaseBroker>,
    state: StateManager,
    id: OfferId,
    hand_offs: mpsc::UnboundedReceiver<HandOff>,
    /// True while the Writer may know the offer.
    is_offered: bool,
}

impl ClaimRequest {
    pub(crate) fn new(lease_broker: Arc<LeaseBroker>, state: StateManager) -> Self {
        let (id, hand_offs) = lease_broker.join();
        Self {
            lease_broker,
            state,
            id,
            hand_offs,
            is_offered: false,
        }
    }

    /// Returns up to `limit` tasks of these processors: the ready ones, or else the first that come. Returns none at
    /// the end of `wait` or at `stop`. `worker` is a name for the tasks' logs.
    ///
    /// # Errors
    /// If the Writer is gone, or the tasks cannot be read.
    pub(crate) async fn tasks(
        mut self,
        processors: Vec<String>,
        limit: usize,
        wait: Duration,
        worker: Option<&str>,
        stop: &CancellationToken,
    ) -> Result<Vec<AssignedTask>, Error> {
        let limit = limit as u64;
        self.is_offered = true;
        self.state.offer(self.id, processors, limit).await?;
        let first = tokio::select! {
            first = self.hand_offs.recv() => first,
            () = tokio::time::sleep(wait) => None,
            () = stop.cancelled() => None,
        };
        let left = self.state.withdraw(self.id).await?;
        self.is_offered = false;
        let mut hand_offs: Vec<_> = first.into_iter().collect();
        while (hand_offs.len() as u64) < limit.saturating_sub(left)
            && let Ok(Some(next)) = timeout(PATIENCE, self.hand_offs.recv()).await
        {
            hand_offs.push(next);
        }
        self.answer(hand_offs, worker).await
    }

    /// Returns the tasks as they are committed, the most urgent first.
    async fn answer(
        &self,
        hand_offs: Vec<HandOff>,
        worker: Option<&str>,
    ) -> Result<Vec<AssignedTask>, Error> {
        if hand_offs.is_empty() {
            return Ok(Vec::new());
        }
        let attempts: Vec<_> = hand_offs.iter().map(|it| it.attempt).collect();
        let mut tasks = self.state.tasks_of_attempts(&attempts).await?;
        tasks.sort_by_key(|task| (-task.priority, task.run_at, task.id));
        let hand_offs = hand_offs.into_iter();
        let mut hand_offs: HashMap<_, _> = hand_offs
            .map(|it| ((it.attempt.task_id, it.attempt.number), it))
            .collect();
        let mut assigned = Vec::with_capacity(tasks.len());
        for task in tasks {
            // An attempt other than the one that started for this claim belongs to another claim.
            let Some(hand_off) = hand_offs.remove(&(task.id, task.attempt)) else {
                continue;
            };
            let upstream = match task.after.is_empty() {
                true => Vec::new(),
                false => self.state.upstream(task.id).await?,
            };
            assigned.extend(hand_off.take(task, upstream, worker));
        }
        Ok(assigned)
    }
}

impl Drop for ClaimRequest {
    fn drop(&mut self) {
        self.lease_broker.leave(self.id);
        if let (true, Ok(runtime)) = (self.is_offered, Handle::try_current()) {
            let (state, id) = (self.state.clone(), self.id);
            runtime.spawn(async move { state.withdraw(id).await });
        }
    }
}
