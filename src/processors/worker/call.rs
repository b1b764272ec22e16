//! The calls by which an outside worker reports about its leased attempt.

use tokio::sync::oneshot;

use crate::models::Timestamp;
use crate::processors::run_error::RunError;

/// A call of a worker.
#[derive(Debug)]
pub(crate) enum WorkerCall {
    /// The attempt is still running.
    Heartbeat,
    /// Lines for the task's log.
    Log(Vec<String>),
    /// The progress, 0 to 1.
    Progress(f64),
    /// The attempt has completed with this result.
    Complete(String),
    Fail(RunError),
}

/// The attempt does not run: it has ended, was stopped, or never existed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttemptOver;

/// A call on its way to the attempt.
pub(crate) struct IncomingCall {
    pub(crate) call: WorkerCall,
    /// Receives the new end of the lease. Nothing arrives if the attempt ends before it has handled the call.
    pub(crate) reply: oneshot::Sender<Timestamp>,
}
