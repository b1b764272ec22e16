//! A started attempt on its way to the program that runs it.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::models::{Attempt, Task, Timestamp, TraceContext};
use crate::state::Upstream;

/// An attempt that has begun for a claim. Whoever drops it gives the attempt back.
pub(crate) struct HandOff {
    pub(crate) attempt: Attempt,
    pub(crate) lease: Duration,
    pub(crate) trace: Option<TraceContext>,
    /// Tells the attempt that a worker has it, and the worker's name if it has said one.
    pub(crate) taken: oneshot::Sender<Option<String>>,
}

/// A task as the answer to a claim holds it: the task JSON, and the terms on which it is lent.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssignedTask)]
pub(crate) struct AssignedTask {
    #[serde(flatten)]
    task: Task,
    lease_seconds: f64,
    lease_expires_at: Timestamp,
    /// The tasks that it waited for, in the order in which it named them.
    upstream: Vec<Upstream>,
    /// `traceparent` and `tracestate`, while traces are on.
    #[serde(flatten)]
    #[schema(value_type = CarriedTrace)]
    trace: Option<TraceContext>,
}

/// The trace that an attempt belongs to, while traces are on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes, and is never made")]
struct CarriedTrace {
    #[schema(nullable = false)]
    traceparent: Option<String>,
    #[schema(nullable = false)]
    tracestate: Option<String>,
}

impl HandOff {
    /// Starts the lease; `None` if the attempt has ended meanwhile. `task` is the committed row.
    pub(crate) fn take(
        self,
        task: Task,
        upstream: Vec<Upstream>,
        worker: Option<&str>,
    ) -> Option<AssignedTask> {
        self.taken.send(worker.map(str::to_owned)).ok()?;
        Some(AssignedTask {
            task,
            lease_seconds: self.lease.as_secs_f64(),
            lease_expires_at: Timestamp::now().after(self.lease),
            upstream,
            trace: self.trace,
        })
    }
}
