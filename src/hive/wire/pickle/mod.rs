//! Pickle as data: a reader of protocols 0 to 5, and a writer of protocol 4.
//!
//! A pickle is a program for a small machine. [`machine`] runs the part of it that only arranges values, in [`nodes`]
//! that refer to one another by number; [`build`] makes one tree of them, which is where sharing is counted and
//! cycles are refused; [`familiar`] knows the few names of Python's library that stand for plain data.

mod build;
mod encode;
mod familiar;
mod machine;
mod nodes;
mod opcode;
mod text;

pub(crate) use encode::encode;

use crate::hive::wire::error::Error;
use crate::hive::wire::limits::ReadLimits;
use crate::hive::wire::value::Value;

/// Decodes one pickle; ignores bytes after its end, as Python does.
pub(crate) fn decode(message: &[u8], limits: &ReadLimits) -> Result<Value, Error> {
    let (nodes, root) = machine::run(message, limits)?;
    build::tree(&nodes, root, limits)
}
