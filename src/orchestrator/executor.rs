//! The executor: one claimed task in, exactly one outcome out.
//!
//! A result, an error, a panic, a timeout or a stop each become one outcome, handed to the Writer. An
//! attempt that was told to stop waits until its outcome is stored, so that who stopped it reads the
//! truth afterwards.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::running::StopSignal;
use crate::models::{Attempt, ClaimedTask, Failure, Outcome};
use crate::processors::{Context, Registry, RunError};
use crate::queue::StopReason;
use crate::state::StateManager;

/// How long a processor may take to leave when it is told to; then it is dropped. Longer than the
/// five seconds between SIGTERM and SIGKILL.
pub(super) const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// An attempt that has ended.
pub(super) struct Ended {
    pub attempt: Attempt,
    /// Set if a stop decided the outcome.
    pub stopped_by: Option<StopReason>,
}

/// Runs the attempt and hands in its outcome.
pub(super) async fn execute(
    task: ClaimedTask,
    registry: Arc<Registry>,
    signal: StopSignal,
    state: StateManager,
) -> Ended {
    let attempt = task.attempt;
    let (outcome, stopped_by) = run(task, &registry, &signal, &state).await;
    if let Outcome::Failed { failure, error } = &outcome {
        tracing::info!(task_id = %attempt.task_id, attempt = attempt.number, %failure, error_length = error.len(), "task failed");
    }
    let stopped_by = match stopped_by {
        None => {
            state.finish(attempt, outcome).await;
            None
        }
        Some(reason) => state
            .finish_and_wait(attempt, outcome)
            .await
            .then_some(reason),
    };
    Ended {
        attempt,
        stopped_by,
    }
}

async fn run(
    task: ClaimedTask,
    registry: &Registry,
    signal: &StopSignal,
    state: &StateManager,
) -> (Outcome, Option<StopReason>) {
    let Some(entry) = registry.get(&task.processor) else {
        let known = registry.names().join(", ");
        let error = format!(
            "no processor is named {:?}; there are: {known}",
            task.processor
        );
        return (failed(Failure::Error, error), None);
    };
    let context = Context::new(task, signal.token.clone(), state.clone());
    let run = AssertUnwindSafe(async { entry.processor.run(&context).await }).catch_unwind();
    tokio::pin!(run);
    let limit = entry.timeout.unwrap_or(Duration::MAX);
    tokio::select! {
        biased;
        () = signal.token.cancelled() => {}
        ended = &mut run => return (outcome_of(ended), None),
        () = tokio::time::sleep(limit), if entry.timeout.is_some() => {
            signal.token.cancel();
        }
    }
    // What it returns now does not matter: the stop has decided. Dropping it ends what is left.
    let _ = timeout(STOP_PATIENCE, run).await;
    match signal.reason() {
        None => {
            let error = format!("timed out after {} s", limit.as_secs_f64());
            (failed(Failure::Timeout, error), None)
        }
        Some(reason) => (stopped(reason), Some(reason)),
    }
}

fn stopped(reason: StopReason) -> Outcome {
    match reason {
        StopReason::Abort => failed(Failure::Aborted, "aborted".to_owned()),
        StopReason::EmergencyStop => failed(
            Failure::EmergencyStop,
            "stopped by an emergency stop".to_owned(),
        ),
        StopReason::Shutdown => Outcome::Released,
    }
}

fn outcome_of(ended: Result<Result<String, RunError>, Box<dyn Any + Send>>) -> Outcome {
    match ended {
        Ok(Ok(result)) => Outcome::Completed { result },
        Ok(Err(error)) => failed(Failure::Error, error.to_string()),
        Err(panic) => failed(
            Failure::Error,
            format!("the processor panicked: {}", panic_message(&*panic)),
        ),
    }
}

fn failed(failure: Failure, error: String) -> Outcome {
    Outcome::Failed { failure, error }
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}
