//! What ARQ keeps at `arq:job:{id}`.

use super::fields::{self, Fields};
use super::{Codec, Error, Value};

/// One call that a worker is to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The try to begin with, if the sender says one; a worker counts on from there.
    pub job_try: Option<i64>,
    /// The name a worker knows the function by.
    pub function: String,
    /// The arguments behind the worker's context.
    pub args: Vec<Value>,
    /// The keyword arguments.
    pub kwargs: Vec<(String, Value)>,
    /// When it was enqueued, in Unix milliseconds.
    pub enqueue_time_ms: i64,
}

impl Job {
    /// The job as its sender stores it.
    ///
    /// # Errors
    ///
    /// As of [`Codec::encode`].
    pub fn to_bytes(&self, codec: Codec) -> Result<Vec<u8>, Error> {
        codec.encode(&fields::dict([
            ("t", self.job_try.map_or(Value::None, Value::Int)),
            ("f", self.function.as_str().into()),
            ("a", Value::Tuple(self.args.clone())),
            ("k", fields::keywords(&self.kwargs)),
            ("et", Value::Int(self.enqueue_time_ms)),
        ]))
    }

    /// The job that bytes hold; fields it does not know are ignored.
    ///
    /// # Errors
    ///
    /// As of [`Codec::decode`], and [`Error::Field`].
    pub fn from_bytes(message: &[u8], codec: Codec) -> Result<Self, Error> {
        let mut fields = Fields::of("job", codec.decode(message)?)?;
        Ok(Self {
            job_try: fields.optional_integer("t")?,
            function: fields.text("f")?,
            args: fields.args("a")?,
            kwargs: fields.kwargs("k")?,
            enqueue_time_ms: fields.integer("et")?,
        })
    }
}
