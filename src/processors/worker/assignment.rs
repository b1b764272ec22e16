//! A started task on its way to the program that runs it.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::models::{OfferId, Task, TaskId, Timestamp};
use crate::state::Upstream;

/// A started task that nobody has taken yet. Whoever drops it leaves its attempt to wait in vain.
pub(super) struct Assignment {
    /// The offer that it answers.
    pub offer: Option<OfferId>,
    pub task: Task,
    pub upstream: Vec<Upstream>,
    pub lease: Duration,
    /// Tells the attempt that somebody has it.
    pub taken: oneshot::Sender<Taken>,
}

/// What the attempt hears when somebody has taken it.
#[derive(Debug)]
pub(super) struct Taken {
    /// The worker's name, if it has said one.
    pub worker: Option<String>,
    pub lease_end: Instant,
}

/// A task as the answer to a poll holds it: the task JSON, and the terms on which it is lent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssignedTask)]
pub struct Assigned {
    #[serde(flatten)]
    task: Task,
    lease_seconds: f64,
    lease_expires_at: Timestamp,
    /// The tasks that it waited for, in the order in which it named them.
    upstream: Vec<Upstream>,
}

impl Assignment {
    /// Whether its attempt still waits to be taken.
    pub fn is_wanted(&self) -> bool {
        !self.taken.is_closed()
    }

    /// Sorts tasks as the queue does, as far as their ids tell who came first.
    pub fn place(&self) -> (i64, Timestamp, TaskId) {
        (-self.task.priority, self.task.run_at, self.task.id)
    }

    /// Starts the lease; `None` if the attempt has ended meanwhile.
    pub fn take(self, worker: Option<&str>) -> Option<Assigned> {
        let taken = Taken {
            worker: worker.map(str::to_owned),
            lease_end: Instant::now() + self.lease,
        };
        self.taken.send(taken).ok()?;
        Some(Assigned {
            task: self.task,
            lease_seconds: self.lease.as_secs_f64(),
            lease_expires_at: Timestamp::now().after(self.lease),
            upstream: self.upstream,
        })
    }
}
