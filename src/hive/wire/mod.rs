//! ARQ's records in Redis as plain data: [`Job`], [`JobResult`], and the [`Value`]s in them, encoded and decoded by a
//! [`Codec`]. Pure: no I/O, no clock.
//!
//! Any client of Redis can write anything, so every reader here is bounded by [`ReadLimits`] and never panics. A pickle
//! is read as data: what Python would import and call becomes a [`Value::Opaque`], a name with arguments, and nothing
//! is ever run. JSON and msgpack never yield opaque classes of Python, so a client's payload cannot become an
//! instruction to a Python worker.

pub(super) mod codec;
pub(super) mod coding;
pub(super) mod error;
pub(super) mod exception;
pub(super) mod fields;
pub(super) mod integer;
pub(super) mod job;
pub(super) mod json;
pub(super) mod lenient;
pub(super) mod limits;
pub(super) mod msgpack;
pub(super) mod pickle;
pub(super) mod reader;
pub(super) mod result;
pub(super) mod value;

pub(crate) use codec::{Codec, UnknownCodec};

#[cfg(test)]
mod tests;
