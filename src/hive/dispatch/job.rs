//! Encodes a task as a job, and decodes a job's result into the outcome of the attempt. Pure but for the task it reads.

use serde_json::Value as Json;

use crate::config::HiveProcessorSettings;
use crate::hive::clock::now_ms;
use crate::hive::wire::codec::Codec;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::job::Job;
use crate::hive::wire::lenient::Replaced;
use crate::hive::wire::result::JobResult;
use crate::hive::wire::value::Value;
use crate::models::json::parse;
use crate::processors::{Context, Next, RunError};

/// The return value of a job's function.
pub(crate) struct JobReturn {
    pub(crate) text: String,
    /// The parts of the value that its text replaces.
    pub(crate) replaced: Replaced,
}

impl JobReturn {
    /// Returns lines for the task's log about replaced parts.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &'static str> {
        let Replaced { numbers, halves } = self.replaced;
        let numbers = numbers.then_some(
            "The result contains NaN or an infinity, which JSON cannot hold: it is stored as null",
        );
        let halves = halves.then_some("The result contains half of a surrogate pair, which is no valid text: it is stored as U+FFFD");
        numbers.into_iter().chain(halves)
    }
}

/// Why a job has no result.
pub(crate) enum JobFailure {
    /// Another client has aborted it.
    Aborted,
    Failed(RunError),
}

impl From<RunError> for JobFailure {
    fn from(error: RunError) -> Self {
        Self::Failed(error)
    }
}

impl From<JobFailure> for RunError {
    fn from(unsuccessful: JobFailure) -> Self {
        match unsuccessful {
            JobFailure::Aborted => {
                Self::with("aborted by another client of the Hive", Next::GiveUp)
            }
            JobFailure::Failed(error) => error,
        }
    }
}

/// Encodes the task as the original does: the function, with the task's id and the payload as arguments.
pub(crate) async fn body(
    settings: &HiveProcessorSettings,
    context: &Context,
    codec: Codec,
) -> Result<Vec<u8>, RunError> {
    let task_id = Value::Str(context.task_id().to_string());
    let upstream = context.upstream().await?;
    let kwargs = match upstream.is_empty() {
        true => Vec::new(),
        false => {
            let upstream = serde_json::to_value(upstream).unwrap_or_default();
            vec![("upstream".to_owned(), Value::from_json(&upstream))]
        }
    };
    let job = Job {
        job_try: None,
        function: settings.function.clone(),
        args: vec![task_id, payload(context.content())],
        kwargs,
        enqueue_time_ms: now_ms() as i64,
        trace: context.trace(),
    };
    job.to_bytes(codec).map_err(|error| {
        RunError::with(format!("the job cannot be encoded: {error}"), Next::GiveUp)
    })
}

/// Returns a JSON object as such, as functions of the original expect, and any other content as text.
fn payload(content: &str) -> Value {
    match parse(content.as_bytes()) {
        Ok(object @ Json::Object(_)) => Value::from_json(&object),
        _ => Value::Str(content.to_owned()),
    }
}

/// Decodes a result into the job's return value or failure.
pub(crate) fn outcome(bytes: &[u8], codec: Codec) -> Result<JobReturn, JobFailure> {
    let result = JobResult::from_bytes(bytes, codec)
        .map_err(|error| RunError::new(format!("its result cannot be read: {error}")))?;
    if result.success {
        return Ok(JobReturn {
            replaced: codec.replaced(bytes, &result.value),
            text: result.value.to_text(),
        });
    }
    let exception = Exception::of(&result.value);
    if exception.is_cancelled() {
        return Err(JobFailure::Aborted);
    }
    let next = match exception.is_timeout() {
        true => Next::TimedOut,
        false => Next::Retry,
    };
    Err(RunError::with(exception.to_string(), next).into())
}
