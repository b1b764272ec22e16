//! The life of one job in a worker: claimed, run by the processor that its function names, and finished with a result or
//! returned to its queue.

use std::any::Any;
use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::timeout;

use crate::hive::clock::now_ms;
use crate::hive::wire::codec::Codec;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::result::JobResult;
use crate::hive::wire::value::Value;
use crate::hive::worker::claims::{ClaimedJob, JobClaim, JobClaims};
use crate::hive::worker::job_spec::{JobSpec, failed};
use crate::hive::worker::limits::{LimitDecision, ProcessorLimits};
use crate::hive::worker::pause::Pauses;
use crate::hive::worker::running::{RunningJob, RunningJobs, StopCause};
use crate::models::Timestamp;
use crate::processors::{Context, Next, ProcessorEntry, Registry, RunError};

/// How long a stopped processor may take to return; then it is dropped.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How long a job is deferred whose processor wants it run again at once.
const UNCOUNTED_PAUSE: Duration = Duration::from_secs(1);

/// The state that all jobs of a worker share.
pub(crate) struct WorkerContext {
    pub(crate) claims: JobClaims,
    pub(crate) running: RunningJobs,
    pub(crate) counts: WorkerCounts,
    pub(crate) registry: Registry,
    /// A name for this Redis, part of the ids of tasks.
    pub(crate) realm: String,
    /// The names of the processors that run jobs.
    pub(crate) functions: HashSet<String>,
    /// The codec of a result whose job cannot be read.
    pub(crate) codec: Codec,
    /// The processors' limits on running jobs.
    pub(crate) limits: ProcessorLimits,
    /// The pauses that commands of the Hive started.
    pub(crate) pauses: Pauses,
}

/// The worker's counts of jobs.
#[derive(Default)]
pub(crate) struct WorkerCounts {
    pub(crate) complete: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) retried: AtomicU64,
    /// Jobs that have started.
    pub(crate) begun: AtomicU64,
    /// Jobs that went back without a start.
    pub(crate) put_off: AtomicU64,
}

/// How a run ended.
enum JobEnd {
    Returned(String),
    Raised(Exception),
    /// The job runs again at this time, or as soon as possible.
    Again(Option<Timestamp>),
    /// The job has not started and runs at this time, or as soon as possible.
    Later(Option<Timestamp>),
    /// Another worker has the job, or it no longer exists.
    Lost,
}

/// How the claim of a finished run ends in Redis.
enum ClaimEnd {
    Result(Vec<u8>),
    /// Return the job to its queue: ready at this time in Unix milliseconds, or as before.
    GiveBack(Option<u64>),
    /// Leave the lost claim; return the job if it was claimed again since.
    Nothing,
}

impl ClaimEnd {
    fn give_back(until: Option<Timestamp>) -> Self {
        Self::GiveBack(until.map(|until| until.utc().timestamp_millis().max(1) as u64))
    }
}

impl WorkerContext {
    /// Runs a claimed job to its end, until Redis has stored the outcome.
    pub(crate) async fn work(&self, taken: ClaimedJob) {
        let ClaimedJob {
            claim,
            body,
            aborted_at_ms,
        } = taken;
        let mut start_ms = now_ms() as i64;
        let (spec, refusal) = JobSpec::read(body, self.codec);
        let oldest_ms = spec.oldest_abort_ms();
        let is_aborted = aborted_at_ms.is_some_and(|at| at >= oldest_ms);
        if aborted_at_ms.is_some() && !is_aborted {
            // Before the heartbeat checks the job: it aborts any job whose mark it finds.
            self.claims.unmark(&claim, oldest_ms).await;
        }
        let Some(running) = self.running.add(&claim) else {
            return;
        };
        let ending = match refusal {
            Some(exception) => JobEnd::Raised(exception),
            None => self.run(&spec, &running, is_aborted, &mut start_ms).await,
        };
        self.store_end(spec, &running, ending, start_ms).await;
    }

    /// Runs the job as soon as the limits of its processor allow, and sets `start_ms` to that time.
    async fn run(
        &self,
        spec: &JobSpec,
        running: &RunningJob,
        is_aborted: bool,
        start_ms: &mut i64,
    ) -> JobEnd {
        let mut claim = running.claim();
        if let Some(first) = spec.job.job_try.filter(|first| *first > claim.start) {
            claim = running.set_start(first);
            self.claims.count_starts(&claim).await;
        }
        let refusal = spec.refusal(claim.start, is_aborted, &self.functions);
        if let Some(exception) = refusal {
            return JobEnd::Raised(exception);
        }
        let function = &spec.job.function;
        let Some(entry) = self.registry.get(function) else {
            return JobEnd::Raised(failed(&format!("function '{function}' not found")));
        };
        let (task, sent) = match spec.task(&claim, &self.realm) {
            Ok(task) => task,
            Err(exception) => return JobEnd::Raised(exception),
        };
        if let Some(ending) = self.put_off(function) {
            return ending;
        }
        let _place = match self.limits.enter(function, &running.stop).await {
            LimitDecision::Open(place) => place,
            LimitDecision::Full(until) => return JobEnd::Later(Some(until)),
            LimitDecision::Stopped => {
                return self.end_of(function, RunEnd::Stopped(running.reason()));
            }
            LimitDecision::Closed => return JobEnd::Later(None),
        };
        // A command may have paused the processor while the job waited.
        if let Some(ending) = self.put_off(function) {
            return ending;
        }
        self.counts.begun.fetch_add(1, Ordering::Relaxed);
        *start_ms = now_ms() as i64;
        let context = Context::of_sent(task, running.stop.clone(), sent);
        let ended = attempt(&entry, &context, running).await;
        self.end_of(function, ended)
    }

    /// Returns the end of a job that a pause keeps from starting; `None` without a pause.
    fn put_off(&self, function: &str) -> Option<JobEnd> {
        match self.pauses.is_paused() {
            true => Some(JobEnd::Later(None)),
            false => self.pauses.put_off(function).map(Some).map(JobEnd::Later),
        }
    }

    fn end_of(&self, function: &str, ended: RunEnd) -> JobEnd {
        let RunError { message, next } = match ended {
            RunEnd::Stopped(None) => return JobEnd::Raised(Exception::timeout()),
            RunEnd::Stopped(Some(StopCause::Abort)) => {
                return JobEnd::Raised(Exception::cancelled());
            }
            RunEnd::Stopped(Some(StopCause::Shutdown)) => return JobEnd::Again(None),
            RunEnd::Stopped(Some(StopCause::Lost)) => return JobEnd::Lost,
            RunEnd::ByItself(Ok(result)) => return JobEnd::Returned(result),
            RunEnd::ByItself(Err(error)) => error,
        };
        match next {
            Next::Retry | Next::RetryAt(_) | Next::GiveUp | Next::Lost | Next::NoInput => {
                JobEnd::Raised(failed(&message))
            }
            Next::TimedOut => JobEnd::Raised(Exception::timeout()),
            Next::Uncounted | Next::GoesOn => {
                JobEnd::Again(Some(Timestamp::now().after(UNCOUNTED_PAUSE)))
            }
            Next::Hold(until) => {
                self.limits.hold(function, until);
                JobEnd::Again(Some(until))
            }
        }
    }

    /// Stores the end of the job in Redis.
    async fn store_end(&self, spec: JobSpec, running: &RunningJob, ending: JobEnd, start_ms: i64) {
        let (value, success) = match ending {
            JobEnd::Returned(result) => (Value::Str(result), true),
            JobEnd::Raised(exception) => (exception.to_value(), false),
            JobEnd::Again(until) => {
                self.counts.retried.fetch_add(1, Ordering::Relaxed);
                return self.end(running, &ClaimEnd::give_back(until)).await;
            }
            JobEnd::Later(until) => {
                self.end(running, &ClaimEnd::give_back(until)).await;
                self.counts.put_off.fetch_add(1, Ordering::Relaxed);
                return;
            }
            JobEnd::Lost => return self.end(running, &ClaimEnd::Nothing).await,
        };
        let count = match success {
            true => &self.counts.complete,
            false => &self.counts.failed,
        };
        count.fetch_add(1, Ordering::Relaxed);
        let claim = running.claim();
        let codec = spec.codec;
        let result = JobResult {
            job_try: claim.start,
            function: spec.job.function,
            args: spec.job.args,
            kwargs: spec.job.kwargs,
            enqueue_time_ms: spec.job.enqueue_time_ms,
            success,
            value,
            start_ms,
            finish_ms: now_ms() as i64,
            queue: self.claims.queue_of(&claim).to_owned(),
            id: String::from_utf8_lossy(&claim.id).into_owned(),
        };
        let result = to_bytes(result, codec);
        self.end(running, &ClaimEnd::Result(result)).await;
    }

    /// Ends the claim, and again if the job was claimed once more meanwhile.
    async fn end(&self, running: &RunningJob, word: &ClaimEnd) {
        loop {
            let claim = running.claim();
            let is_told = match word {
                ClaimEnd::Nothing if running.has_lost(&claim) => false,
                ClaimEnd::Nothing => self.claims.give_back(&claim, None).await,
                ClaimEnd::GiveBack(due_ms) => self.claims.give_back(&claim, *due_ms).await,
                ClaimEnd::Result(result) => self.claims.finish(&claim, result).await,
            };
            if !is_told {
                note_gone(&claim, word);
            }
            if self.running.remove(&claim) {
                return;
            }
        }
    }

    /// Returns a claimed job that has not started.
    pub(crate) async fn refuse(&self, taken: &ClaimedJob) {
        self.claims.give_back(&taken.claim, None).await;
    }
}

/// Logs that a claim no longer existed when it was to end.
fn note_gone(claim: &JobClaim, word: &ClaimEnd) {
    let id = String::from_utf8_lossy(&claim.id);
    match word {
        ClaimEnd::Result(_) | ClaimEnd::Nothing => {
            tracing::info!(job_id = %id, "another worker has claimed the job, or it no longer exists");
        }
        // If the reply to the first try was lost, that try has ended it.
        ClaimEnd::GiveBack(_) => tracing::info!(
            job_id = %id,
            "the job was given back before, another worker has claimed the job, or it no longer exists"
        ),
    }
}

/// How the processor's part of a run ended.
enum RunEnd {
    ByItself(Result<String, RunError>),
    /// The job was stopped; without a cause, it has timed out.
    Stopped(Option<StopCause>),
}

async fn attempt(entry: &ProcessorEntry, context: &Context, running: &RunningJob) -> RunEnd {
    let run = AssertUnwindSafe(async { entry.processor.run(context).await }).catch_unwind();
    tokio::pin!(run);
    let limit = entry.timeout;
    tokio::select! {
        biased;
        () = running.stop.cancelled() => {}
        ended = &mut run => return RunEnd::ByItself(ended.unwrap_or_else(|panic| Err(panicked(&*panic)))),
        () = tokio::time::sleep(limit.unwrap_or_default()), if limit.is_some() => {
            running.stop.cancel();
        }
    }
    // The stop has decided the outcome; the return value is ignored. The drop ends what is left.
    let _ = timeout(STOP_PATIENCE, run).await;
    RunEnd::Stopped(running.reason())
}

fn panicked(panic: &(dyn Any + Send)) -> RunError {
    let message = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    RunError::new(format!("the processor panicked: {message}"))
}

/// Encodes the result; if it cannot be encoded, a failure that can.
fn to_bytes(result: JobResult, codec: Codec) -> Vec<u8> {
    result.to_bytes(codec).unwrap_or_else(|error| {
        // An argument that was decoded may have no encoding in the codec.
        let bare = JobResult {
            args: Vec::new(),
            kwargs: Vec::new(),
            ..result
        };
        let failure = |bare: JobResult| JobResult {
            success: false,
            value: failed(&format!("unable to serialize result: {error}")).to_value(),
            ..bare
        };
        let written = bare
            .to_bytes(codec)
            .or_else(|_| failure(bare).to_bytes(codec));
        written.unwrap_or_default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hive::wire::value::{Made, Opaque};

    #[test]
    fn a_result_is_written_even_if_its_arguments_cannot_be() {
        let argument = Opaque {
            module: "a".to_owned(),
            name: "b".to_owned(),
            made: Made::Indirect,
            args: Vec::new(),
            items: Vec::new(),
            pairs: Vec::new(),
            state: None,
        };
        let result = JobResult {
            job_try: 1,
            function: "f".to_owned(),
            args: vec![Value::from(argument)],
            kwargs: Vec::new(),
            enqueue_time_ms: 0,
            success: true,
            value: "done".into(),
            start_ms: 0,
            finish_ms: 0,
            queue: "q".to_owned(),
            id: "a".to_owned(),
        };
        let bytes = to_bytes(result, Codec::Pickle);
        let read = JobResult::from_bytes(&bytes, Codec::Pickle).unwrap();
        assert!(read.success && read.value == "done".into() && read.args.is_empty());
    }
}
