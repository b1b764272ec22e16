//! `worker`: waits while a program outside runs the task.
//!
//! Such a program polls: it offers to run up to so many tasks of some processors ([`Poll`]). A task that
//! starts for an offer reaches its processor like any other, which lays it on the [`Desk`]; the poll
//! takes it from there and answers with it. From then on the program speaks of the attempt by
//! [`Desk::call`], and each word but the last renews its lease.
//!
//! What nobody takes within two seconds goes back and costs no attempt. What was taken is the
//! program's: its silence for the length of a lease is a lost attempt.

mod assignment;
mod call;
mod desk;
mod poll;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

pub use assignment::Assigned;
pub use call::{Call, Over};
pub use desk::Desk;
pub use poll::Poll;

use self::assignment::{Assignment, Taken};
use self::call::Incoming;
use super::{Context, Next, Processor, RunError};
use crate::config::WorkerSettings;
use crate::models::Timestamp;

/// How long a started task waits to be taken, if the poll that it started for has gone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Has each task run by a program outside.
pub(super) struct Worker {
    lease: Duration,
    desk: Arc<Desk>,
}

impl Worker {
    /// A processor for one `[processors.NAME]` table; all of a service share one desk.
    pub fn new(settings: &WorkerSettings, desk: Arc<Desk>) -> Self {
        let lease = settings.lease;
        Self { lease, desk }
    }

    async fn hand_over(&self, context: &Context) -> Result<Taken, RunError> {
        let (sender, mut taken) = oneshot::channel();
        self.desk.arrive(Assignment {
            offer: context.offer(),
            task: context.task().await?,
            upstream: context.upstream().await?,
            trace: context.trace(),
            lease: self.lease,
            taken: sender,
        });
        if let Ok(Ok(taken)) = timeout(PATIENCE, &mut taken).await {
            return Ok(taken);
        }
        // It may be taken at this very moment: closed, it either was or never is.
        taken.close();
        taken.try_recv().map_err(|_| {
            let because = "was not taken: the worker that asked for it has gone";
            RunError::with(because, Next::Uncounted)
        })
    }

    async fn run(&self, context: &Context) -> Result<String, RunError> {
        let mut seat = self.desk.seat(context.task_id(), context.attempt());
        let taken = self.hand_over(context).await?;
        let line = match &taken.worker {
            Some(name) => format!("Taken by the worker {name}"),
            None => "Taken by a worker".to_owned(),
        };
        context.log(line).await;
        self.serve(context, &mut seat.calls, taken).await
    }

    /// Does as the worker says until it completes, fails or is silent for too long.
    async fn serve(
        &self,
        context: &Context,
        calls: &mut mpsc::Receiver<Incoming>,
        taken: Taken,
    ) -> Result<String, RunError> {
        let mut lease_end = taken.lease_end;
        loop {
            let Incoming { call, reply } = tokio::select! {
                biased;
                Some(incoming) = calls.recv() => incoming,
                () = sleep_until(lease_end) => return Err(self.lost(taken.worker.as_deref())),
            };
            let result = match call {
                Call::Heartbeat => None,
                Call::Log(lines) => {
                    for line in lines {
                        context.log(line).await;
                    }
                    None
                }
                Call::Progress(progress) => {
                    context.progress(progress).await;
                    None
                }
                Call::Complete(result) => Some(Ok(result)),
                Call::Fail(error) => Some(Err(error)),
            };
            lease_end = Instant::now() + self.lease;
            // The caller may have gone away; what it said holds.
            let _ = reply.send(Timestamp::now().after(self.lease));
            if let Some(result) = result {
                return result;
            }
        }
    }

    fn lost(&self, worker: Option<&str>) -> RunError {
        let who = match worker {
            Some(name) => format!("the worker {name}"),
            None => "the worker that had it".to_owned(),
        };
        let seconds = self.lease.as_secs_f64();
        let message = format!("{who} gave no sign of life for {seconds} s");
        RunError::with(message, Next::Lost)
    }
}

impl Processor for Worker {
    fn run<'a>(&'a self, context: &'a Context) -> BoxFuture<'a, Result<String, RunError>> {
        async move {
            tokio::select! {
                biased;
                () = context.stopped() => Err(RunError::with("was stopped", Next::Uncounted)),
                ended = Worker::run(self, context) => ended,
            }
        }
        .boxed()
    }
}
