//! The record of a job, which ARQ keeps at `arq:job:{id}`.

use super::fields::{self, RecordFields};
use crate::hive::wire::codec::Codec;
use crate::hive::wire::error::Error;
use crate::hive::wire::value::Value;
use crate::models::TraceContext;

/// One call for a worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Job {
    /// The number of the first try, if the sender sets one; a worker counts on from there.
    pub(crate) job_try: Option<i64>,
    /// The function's name at the worker.
    pub(crate) function: String,
    /// The arguments after the worker's context.
    pub(crate) args: Vec<Value>,
    /// The keyword arguments.
    pub(crate) kwargs: Vec<(String, Value)>,
    /// The time at which it was enqueued, in Unix milliseconds.
    pub(crate) enqueue_time_ms: i64,
    /// The trace that it belongs to, under names that ARQ ignores.
    pub(crate) trace: Option<TraceContext>,
}

impl Job {
    /// Encodes the job as its sender stores it.
    ///
    /// # Errors
    ///
    /// As of [`Codec::encode`].
    pub(crate) fn to_bytes(&self, codec: Codec) -> Result<Vec<u8>, Error> {
        let mut job = vec![
            ("t", self.job_try.map_or(Value::None, Value::Int)),
            ("f", self.function.as_str().into()),
            ("a", Value::Tuple(self.args.clone())),
            ("k", fields::keywords(&self.kwargs)),
            ("et", Value::Int(self.enqueue_time_ms)),
        ];
        if let Some(trace) = &self.trace {
            job.push(("traceparent", trace.traceparent.as_str().into()));
            let state = trace.tracestate.as_deref();
            job.extend(state.map(|state| ("tracestate", state.into())));
        }
        codec.encode(&fields::dict(job))
    }

    /// Decodes a job; ignores unknown fields.
    ///
    /// # Errors
    ///
    /// As of [`Codec::decode`], and [`Error::Field`].
    pub(crate) fn from_bytes(message: &[u8], codec: Codec) -> Result<Self, Error> {
        let mut fields = RecordFields::of("job", codec.decode(message)?)?;
        Ok(Self {
            job_try: fields.optional_integer("t")?,
            function: fields.text("f")?,
            args: fields.args("a")?,
            kwargs: fields.kwargs("k")?,
            enqueue_time_ms: fields.integer("et")?,
            trace: trace(&mut fields),
        })
    }
}

/// Reads the trace; an invalid one does not fail the job.
fn trace(fields: &mut RecordFields) -> Option<TraceContext> {
    Some(TraceContext {
        traceparent: fields.text("traceparent").ok()?,
        tracestate: fields.text("tracestate").ok(),
    })
}
