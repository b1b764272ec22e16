//! The executor: runs one claimed task and hands its outcome to the Writer.
//!
//! A result, an error, a panic, a timeout and a stop each become one outcome for the Writer. The one exception: an
//! attempt that an outside worker has leased when the service stops continues without an outcome. A stopped attempt
//! waits until its outcome is stored, so that whoever stopped it then reads the truth.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use super::running::{FinishedAttempt, StopSignal};
use crate::config::Backoff;
use crate::models::{
    ClaimedTask, Failure, Lease, LeaseOrigin, Outcome, Reschedule, Terms, Timestamp,
};
use crate::processors::{Context, Next, ProcessorEntry, Remote, RunError};
use crate::queue::StopReason;
use crate::state::StateManager;
use crate::terminal::without_escapes;
use crate::traces::{Span, Traces};

/// How long a task is queued again that started while a reload was under way.
const REQUEUE_DELAY: Duration = Duration::from_secs(1);
/// The number of characters of an error in the service's log; `venom show` has all of it.
const LOGGED_CHARS: usize = 500;
/// How long a stopped processor may take to return before it is dropped. Longer than the five seconds between SIGTERM
/// and SIGKILL.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(10);

/// How an attempt's run ended.
enum AttemptEnd {
    Ended(Outcome),
    /// A stop has decided the outcome.
    Stopped(Outcome, StopReason),
    /// An outside worker continues the attempt.
    GoesOn,
}

/// Runs the attempt with its processor, if that is configured, and hands in its outcome.
pub(crate) async fn execute(
    task: ClaimedTask,
    entry: Option<ProcessorEntry>,
    signal: StopSignal,
    state: StateManager,
    traces: Traces,
) -> FinishedAttempt {
    let attempt = task.attempt;
    let span = begin_span(&traces, &task, &state).await;
    let (outcome, reason) = match run(task, entry, &signal, &state, span.clone()).await {
        AttemptEnd::Ended(outcome) => (outcome, None),
        AttemptEnd::Stopped(outcome, reason) => (outcome, Some(reason)),
        AttemptEnd::GoesOn => {
            return FinishedAttempt {
                attempt,
                stopped_by: None,
                goes_on: true,
            };
        }
    };
    if let Some(span) = span {
        span.end_attempt(&outcome);
    }
    if let Outcome::Failed { failure, error } = &outcome {
        tracing::info!(task_id = %attempt.task_id, attempt = attempt.number, %failure, error = for_log(error), "task failed");
    }
    let stopped_by = match reason {
        None => {
            state.finish(attempt, outcome).await;
            None
        }
        Some(reason) => state
            .as_actor(signal.actor())
            .finish_and_wait(attempt, outcome)
            .await
            .then_some(reason),
    };
    FinishedAttempt {
        attempt,
        stopped_by,
        goes_on: false,
    }
}

/// Creates the attempt's span, below the commit that accepted its task; `None` while traces are off.
async fn begin_span(traces: &Traces, task: &ClaimedTask, state: &StateManager) -> Option<Span> {
    if !traces.is_on() {
        return None;
    }
    // A failed trace costs no attempt.
    let accepted_in = state.trace_of(task.attempt.seq).await.unwrap_or_default();
    traces.attempt(task, accepted_in.as_ref())
}

async fn run(
    task: ClaimedTask,
    entry: Option<ProcessorEntry>,
    signal: &StopSignal,
    state: &StateManager,
    span: Option<Span>,
) -> AttemptEnd {
    let Some(entry) = entry else {
        return AttemptEnd::Ended(Outcome::Reschedule(not_configured(&task.processor)));
    };
    let limit = task.terms.timeout.or(entry.timeout);
    let lease = task.terms.lease;
    let terms = RetryRules {
        number: task.attempt.number,
        terms: task.terms.clone(),
        backoff: entry.backoff,
    };
    let mut context = Context::new(task, signal.token.clone(), state.clone())
        .with_span(span)
        .with_log_limits(entry.log_limits);
    let is_remote = entry.processor.is_remote();
    if is_remote {
        let signal = signal.clone();
        context = context.with_remote(Remote {
            limit,
            is_left: Box::new(move || signal.reason() == Some(StopReason::Shutdown)),
        });
    }
    // A processor whose tasks run elsewhere knows when they start there.
    let limit = limit.filter(|_| !is_remote);
    let run = async {
        context.check_upstream().await?;
        entry.processor.run(&context).await
    };
    let run = AssertUnwindSafe(run).catch_unwind();
    tokio::pin!(run);
    tokio::select! {
        biased;
        () = signal.token.cancelled() => {}
        ended = &mut run => {
            context.end_log().await;
            return AttemptEnd::Ended(terms.outcome_of(ended));
        }
        () = tokio::time::sleep(time_left(limit, lease)), if limit.is_some() => {
            signal.token.cancel();
        }
    }
    // The stop has decided the outcome; the return value is ignored. The drop ends what is left.
    let left = timeout(STOP_PATIENCE, run).await;
    context.end_log().await;
    let goes_on = |error: &RunError| error.next == Next::GoesOn;
    match (signal.reason(), left) {
        (None, _) => {
            let seconds = limit.unwrap_or_default().as_secs_f64();
            let error = format!("timed out after {seconds} s");
            AttemptEnd::Ended(terms.retry_or_fail(Failure::Timeout, error))
        }
        (Some(StopReason::Shutdown), Ok(Ok(Err(error)))) if goes_on(&error) => AttemptEnd::GoesOn,
        (Some(reason), _) => AttemptEnd::Stopped(stopped(reason), reason),
    }
}

/// Returns how long the attempt may still take. One that an outside worker continued while the service was down has
/// at least the length of its lease, so that a result that was ready in time can be handed in.
fn time_left(limit: Option<Duration>, lease: Option<Lease>) -> Duration {
    let limit = limit.unwrap_or_default();
    match lease {
        Some(Lease {
            length,
            origin: LeaseOrigin::Restart(since),
        }) => {
            let past = Timestamp::now().seconds_since(since);
            let past = Duration::try_from_secs_f64(past).unwrap_or_default();
            limit.saturating_sub(past).max(length)
        }
        _ => limit,
    }
}

/// Returns the task to the queue: a reload has just removed the processor, and with the current settings the queue
/// starts no such task.
fn not_configured(processor: &str) -> Reschedule {
    Reschedule {
        because: format!("not started: a reload has just removed processor {processor:?}"),
        error: None,
        run_at: Some(Timestamp::now().after(REQUEUE_DELAY)),
        hold: None,
    }
}

fn stopped(reason: StopReason) -> Outcome {
    match reason {
        StopReason::Abort => failed(Failure::Aborted, "aborted".to_owned()),
        StopReason::EmergencyStop => failed(
            Failure::EmergencyStop,
            "stopped by an emergency stop".to_owned(),
        ),
        StopReason::Shutdown => Outcome::Reschedule(Reschedule::stopped()),
    }
}

/// When an attempt without a result is followed by another.
struct RetryRules {
    number: i64,
    terms: Terms,
    backoff: Backoff,
}

impl RetryRules {
    fn outcome_of(&self, ended: Result<Result<String, RunError>, Box<dyn Any + Send>>) -> Outcome {
        let RunError { message, next } = match ended {
            Ok(Ok(result)) => return Outcome::Completed { result },
            Ok(Err(error)) => error,
            Err(panic) => RunError::new(format!(
                "the processor panicked: {}",
                panic_message(&*panic)
            )),
        };
        // A program's error may hold escape sequences, and readers of the error may be no terminals.
        let message = without_escapes(&message).into_owned();
        match next {
            Next::Retry => self.retry_or_fail(Failure::Error, message),
            Next::RetryAt(earliest) => {
                let mut outcome = self.retry_or_fail(Failure::Error, message);
                if let Outcome::Reschedule(again) = &mut outcome {
                    again.run_at = again.run_at.max(Some(earliest));
                }
                outcome
            }
            Next::TimedOut => self.retry_or_fail(Failure::Timeout, message),
            Next::Lost => self.retry_or_fail(Failure::Lost, message),
            Next::GiveUp => failed(Failure::Error, message),
            Next::NoInput => failed(Failure::Upstream, message),
            Next::Uncounted | Next::GoesOn => Outcome::Reschedule(Reschedule::uncounted(message)),
            Next::Hold(until) => Outcome::Reschedule(Reschedule {
                run_at: Some(until),
                hold: Some(until),
                ..Reschedule::uncounted(message)
            }),
        }
    }

    /// Returns another attempt after a pause, or the failure if this attempt was the last.
    fn retry_or_fail(&self, failure: Failure, error: String) -> Outcome {
        let failures = self.terms.counted(self.number);
        if failures >= self.terms.max_attempts {
            return failed(failure, error);
        }
        let failures = u32::try_from(failures).unwrap_or(1).max(1);
        let pause = self.backoff.pause(failures, fastrand::f64());
        Outcome::Reschedule(Reschedule {
            because: format!("failed: {error}"),
            error: Some(error),
            run_at: Some(Timestamp::now().after(pause)),
            hold: None,
        })
    }
}

/// Returns the start of an error, on one line.
fn for_log(error: &str) -> String {
    let start = error.chars().take(LOGGED_CHARS);
    let mut text: String = start
        .map(|char| if char.is_control() { ' ' } else { char })
        .collect();
    if text.len() < error.len() {
        text.push('…');
    }
    text
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
