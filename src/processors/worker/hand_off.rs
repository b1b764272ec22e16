//! A started attempt on its way to the program that runs it.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::oneshot;
use utoipa::ToSchema;

use crate::models::{Attempt, Task, Timestamp, TraceContext};
use crate::state::Upstream;

/// An attempt that started for a claim. Dropping it returns the attempt.
pub(crate) struct HandOff {
    pub(crate) attempt: Attempt,
    pub(crate) lease: Duration,
    pub(crate) trace: Option<TraceContext>,
    /// Tells the attempt that a worker has it, with the worker's name if known.
    pub(crate) taken: oneshot::Sender<Option<String>>,
}

/// A task in the response to a claim: the task JSON and the terms of its lease.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AssignedTask)]
pub(crate) struct AssignedTask {
    #[serde(flatten)]
    task: Task,
    lease_seconds: f64,
    lease_expires_at: Timestamp,
    /// The dependencies, in the order of `after`.
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
