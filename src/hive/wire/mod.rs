//! What ARQ puts into Redis, as plain data: [`Job`], [`JobResult`], and the [`Value`]s in them, written
//! and read by a [`Codec`]. Pure: no I/O, no clock.
//!
//! Whoever can write to Redis can write anything, so every reader here is bounded by [`Limits`] and never
//! panics. A pickle is read as data: what Python would import and call becomes a [`Value::Opaque`], a
//! name with arguments, and nothing is ever run. JSON and msgpack never read as opaque classes of Python,
//! so a payload that a client sent cannot become an instruction to a Python worker.

mod codec;
mod error;
mod exception;
mod fields;
mod integer;
mod job;
mod json;
mod lenient;
mod limits;
mod msgpack;
mod opaque;
mod pickle;
mod reader;
mod result;
mod value;

pub(crate) use codec::{Codec, UnknownCodec};
pub(crate) use error::Error;
pub(crate) use exception::Exception;
pub(crate) use job::Job;
pub(crate) use lenient::Replaced;
pub(crate) use limits::Limits;
pub(crate) use opaque::{Made, Opaque};
pub(crate) use result::JobResult;
pub(crate) use value::Value;

#[cfg(test)]
mod tests;
