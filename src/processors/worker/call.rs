//! What a worker reports about an attempt that it has leased.

use tokio::sync::oneshot;

use crate::models::Timestamp;
use crate::processors::run_error::RunError;

/// One word of a worker's.
#[derive(Debug)]
pub(crate) enum WorkerCall {
    /// It is still at it.
    Heartbeat,
    /// Lines for the task's log.
    Log(Vec<String>),
    /// 0 to 1.
    Progress(f64),
    /// Done, with this result.
    Complete(String),
    Fail(RunError),
}

/// The attempt does not run: it has ended, was stopped, or never was.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AttemptOver;

/// A call on its way to the attempt.
pub(crate) struct IncomingCall {
    pub(crate) call: WorkerCall,
    /// Hears when the lease ends now. Nothing comes if the attempt ends before it has heard the call.
    pub(crate) reply: oneshot::Sender<Timestamp>,
}
