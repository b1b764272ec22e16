//! `state_dump.json` as text: reading what any version of the original wrote, writing what it
//! reads.
//!
//! Pure: everything goes through [`std::io::Read`] and [`std::io::Write`], one task at a time, so
//! that memory does not grow with the file. The parts: `input` makes JSON of what Python calls
//! JSON, `walk` and `read` go through the file, `task` makes a [`Task`](crate::models::Task) of one
//! entry, `inspect` looks at a file without keeping anything, `write` is the way out.

pub(super) mod error;
pub(super) mod fields;
pub(super) mod input;
pub(super) mod inspect;
pub(super) mod read;
mod strict_json;
pub(super) mod task;
#[cfg(test)]
mod tests;
pub(super) mod walk;
pub(super) mod write;

pub(crate) use error::Error;
pub(crate) use inspect::inspect;
pub(crate) use read::{Rest, read};
