//! The record of a result, which ARQ keeps at `arq:result:{id}`.

use super::fields::{self, RecordFields};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::value::Value;

/// How a job ended. Function, arguments and enqueue time are the job's; if a worker could not decode the job, they
/// are `<unknown>`, empty and 0.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobResult {
    /// The number of this try; the first is 1.
    pub(crate) job_try: i64,
    /// The job's function.
    pub(crate) function: String,
    /// The job's arguments.
    pub(crate) args: Vec<Value>,
    /// The job's keyword arguments.
    pub(crate) kwargs: Vec<(String, Value)>,
    /// When the job was enqueued, in Unix milliseconds.
    pub(crate) enqueue_time_ms: i64,
    /// Whether the function returned.
    pub(crate) success: bool,
    /// The return value, or the exception that it raised.
    pub(crate) value: Value,
    /// When it started, in Unix milliseconds.
    pub(crate) start_ms: i64,
    /// When it ended, in Unix milliseconds.
    pub(crate) finish_ms: i64,
    /// The queue; `<unknown>` if the worker did not say.
    pub(crate) queue: String,
    /// The job's id; `<unknown>` if the worker did not say.
    pub(crate) id: String,
}

impl JobResult {
    /// Encodes the result as a worker stores it.
    ///
    /// # Errors
    ///
    /// As of [`Codec::encode`].
    pub(crate) fn to_bytes(&self, codec: Codec) -> Result<Vec<u8>, Error> {
        codec.encode(&fields::dict([
            ("t", Value::Int(self.job_try)),
            ("f", self.function.as_str().into()),
            ("a", Value::Tuple(self.args.clone())),
            ("k", fields::keywords(&self.kwargs)),
            ("et", Value::Int(self.enqueue_time_ms)),
            ("s", Value::Bool(self.success)),
            ("r", self.value.clone()),
            ("st", Value::Int(self.start_ms)),
            ("ft", Value::Int(self.finish_ms)),
            ("q", self.queue.as_str().into()),
            ("id", self.id.as_str().into()),
        ]))
    }

    /// Decodes a result; ignores unknown fields.
    ///
    /// # Errors
    ///
    /// As of [`Codec::decode`], and [`Error::Field`].
    pub(crate) fn from_bytes(message: &[u8], codec: Codec) -> Result<Self, Error> {
        let mut fields = RecordFields::of("result", codec.decode(message)?)?;
        Ok(Self {
            job_try: fields.integer("t")?,
            function: fields.text("f")?,
            args: fields.args("a")?,
            kwargs: fields.kwargs("k")?,
            enqueue_time_ms: fields.integer("et")?,
            success: fields.truth("s")?,
            value: fields.any("r")?,
            start_ms: fields.integer("st")?,
            finish_ms: fields.integer("ft")?,
            queue: fields.text_if_known("q")?,
            id: fields.text_if_known("id")?,
        })
    }
}
