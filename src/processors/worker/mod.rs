//! `worker`: an outside program claims the task and runs it.
//!
//! Such a program claims tasks: it offers slots for tasks of some processors ([`ClaimRequest`]). The transaction that
//! starts a task for an offer also grants its lease. The attempt opens a mailbox at the [`LeaseBroker`] and passes
//! itself to the claim, which answers with the committed row. Later calls of the program use [`LeaseBroker::call`],
//! and each but the last renews the lease.
//!
//! Tasks that a claim does not take, because its client has disconnected, are returned and cost no attempt. Tasks
//! that it took belong to the program, also while the service is down: a stop leaves the attempt, and the next start
//! resumes it with a full lease. A program that is silent for the length of a lease loses the attempt; if it was
//! silent since the start of the service, the crash may have ended it too, and the attempt does not count.

mod call;
pub(super) mod claim_request;
pub(super) mod hand_off;
pub(super) mod lease_broker;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

pub(crate) use call::{AttemptOver, WorkerCall};
pub(crate) use claim_request::ClaimRequest;
pub(crate) use hand_off::AssignedTask;
pub(crate) use lease_broker::LeaseBroker;

use self::call::IncomingCall;
use crate::models::{LeaseOrigin, OfferId, Timestamp};
use crate::processors::context::Context;
use crate::processors::processor::Processor;
use crate::processors::run_error::{Next, RunError};
use crate::processors::worker::hand_off::HandOff;

/// Runs each task in an outside program.
pub(crate) struct WorkerProcessor {
    lease_broker: Arc<LeaseBroker>,
}

/// An attempt that an outside program has leased.
struct LeasedAttempt {
    lease: Duration,
    /// The worker's name, if known.
    worker: Option<String>,
    /// True if the attempt started before this start of the service.
    is_from_before: bool,
}

impl WorkerProcessor {
    /// Creates a processor for any number of `[processors.NAME]` tables; all of a service share one lease broker.
    pub(crate) fn new(lease_broker: Arc<LeaseBroker>) -> Self {
        Self { lease_broker }
    }

    /// Runs the attempt to its end, or leaves it to the program when it is stopped.
    async fn run(&self, context: &Context) -> Result<String, RunError> {
        let Some(lease) = context.lease() else {
            // A reload has just changed the processor's kind.
            let because = "not started: a reload has just changed its processor to kind worker";
            return Err(RunError::with(because, Next::Uncounted));
        };
        let mut open_mailbox = self
            .lease_broker
            .open_mailbox(context.task_id(), context.attempt());
        let (worker, first_line) = match lease.origin {
            LeaseOrigin::Offer(claim) => {
                let worker = self.assign(claim, lease.length, context).await?;
                let line = match &worker {
                    Some(name) => format!("Claimed by worker {name}"),
                    None => "Claimed by a worker".to_owned(),
                };
                (worker, Some(line))
            }
            LeaseOrigin::Restart(_) => (None, None),
        };
        let held = LeasedAttempt {
            lease: lease.length,
            worker,
            is_from_before: matches!(lease.origin, LeaseOrigin::Restart(_)),
        };
        tokio::select! {
            biased;
            () = context.stopped() => Err(RunError::with("was stopped", Next::GoesOn)),
            ended = held.serve(context, first_line, &mut open_mailbox.calls) => ended,
        }
    }

    /// Passes the attempt to the claim that it started for; returns the worker's name, if known.
    async fn assign(
        &self,
        claim: OfferId,
        lease: Duration,
        context: &Context,
    ) -> Result<Option<String>, RunError> {
        let (sender, mut taken) = oneshot::channel();
        let hand_off = HandOff {
            attempt: context.attempt_id(),
            lease,
            trace: context.trace(),
            taken: sender,
        };
        self.lease_broker.assign(claim, hand_off);
        let answer = tokio::select! {
            biased;
            answer = &mut taken => answer.ok(),
            () = context.stopped() => {
                // The claim may be taking it right now: after the close, it either has or never will.
                taken.close();
                taken.try_recv().ok()
            }
        };
        answer.ok_or_else(|| {
            let because = "not started: the worker that claimed it has disconnected";
            RunError::with(because, Next::Uncounted)
        })
    }
}

impl LeasedAttempt {
    /// Handles the worker's calls until it completes, fails or is silent for too long.
    async fn serve(
        &self,
        context: &Context,
        first_line: Option<String>,
        calls: &mut mpsc::Receiver<IncomingCall>,
    ) -> Result<String, RunError> {
        let mut lease_end = Instant::now() + self.lease;
        let mut has_spoken = !self.is_from_before;
        if let Some(line) = first_line {
            context.log(line).await;
        }
        loop {
            let IncomingCall { call, reply } = tokio::select! {
                biased;
                Some(incoming) = calls.recv() => incoming,
                () = sleep_until(lease_end) => return Err(self.lost(has_spoken)),
            };
            let result = match call {
                WorkerCall::Heartbeat => None,
                WorkerCall::Log(lines) => {
                    for line in lines {
                        context.log(line).await;
                    }
                    None
                }
                WorkerCall::Progress(progress) => {
                    context.progress(progress).await;
                    None
                }
                WorkerCall::Complete(result) => Some(Ok(result)),
                WorkerCall::Fail(error) => Some(Err(error)),
            };
            lease_end = Instant::now() + self.lease;
            has_spoken = true;
            // The caller may have disconnected; its call still counts.
            let _ = reply.send(Timestamp::now().after(self.lease));
            if let Some(result) = result {
                return result;
            }
        }
    }

    /// Returns the error of an expired lease. If the worker was silent since the start of the service, the attempt
    /// does not count: whatever ended the service may have ended the worker too.
    fn lost(&self, has_spoken: bool) -> RunError {
        let who = match &self.worker {
            Some(name) => format!("worker {name}"),
            None => "the worker".to_owned(),
        };
        let seconds = self.lease.as_secs_f64();
        if !has_spoken {
            let message =
                format!("{who} sent no heartbeat in the {seconds} s since the service started");
            return RunError::with(message, Next::Uncounted);
        }
        let message = format!("{who} sent no heartbeat for {seconds} s");
        RunError::with(message, Next::Lost)
    }
}

impl Processor for WorkerProcessor {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        WorkerProcessor::run(self, context).boxed()
    }
}
