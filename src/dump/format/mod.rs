//! `state_dump.json` as text: reading what any version of the original wrote, writing what it
//! reads.
//!
//! Pure: everything goes through [`std::io::Read`] and [`std::io::Write`], one task at a time, so
//! that memory does not grow with the file. The parts: `input` makes JSON of what Python calls
//! JSON, `walk` and `read` go through the file, `task` makes a [`Task`](crate::models::Task) of one
//! entry, `inspect` looks at a file without keeping anything, `write` is the way out.

mod input;
mod inspect;
mod read;
mod task;
#[cfg(test)]
mod tests;
mod walk;
mod write;

use std::io;

pub(crate) use inspect::{Author, inspect};
pub(crate) use read::{Rest, read};
pub(crate) use write::Writer;

/// The top-level key of the list of tasks.
const TASKS: &str = "tasks";

/// The fields of a task that this service knows, in the order of the contract.
const KNOWN_FIELDS: [&str; 24] = [
    "id",
    "content",
    "created_at",
    "status",
    "result",
    "logs",
    "context_history",
    "context_used",
    "processor",
    "priority",
    "attempt",
    "max_attempts",
    "run_at",
    "started_at",
    "finished_at",
    "failure",
    "error",
    "progress",
    "tags",
    "session_id",
    "timeout",
    "concurrency_key",
    "unique_key",
    "after",
];

/// Why a file could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nothing in it but white space, not even an empty list of tasks.
    #[error("the file is empty")]
    Empty,
    /// No JSON, or JSON of another shape than a dump's; serde_json says where.
    #[error("{}{source}", prefix(place))]
    Json {
        /// The entry that was being read, such as `tasks[17]`; empty outside of any.
        place: String,
        source: serde_json::Error,
    },
    /// A JSON object without a list of tasks.
    #[error("expected a \"tasks\" list, found none")]
    NoTasks,
    /// Two lists of tasks: whoever wrote this, one of them would be lost.
    #[error("expected one \"tasks\" list, found two")]
    TasksTwice,
    /// A field of a task that is not what it has to be.
    #[error("{place}: expected {expected}, found {found}")]
    Value {
        /// Such as `tasks[17].status`.
        place: String,
        expected: &'static str,
        found: String,
    },
    /// What stands beside the tasks is held in memory, so it has to stay small.
    #[error("{}expected at most {limit_mib} MiB besides the tasks", prefix(place))]
    TooLarge { place: String, limit_mib: u64 },
    /// The file itself could not be read; says nothing about what it holds.
    #[error(transparent)]
    Io(io::Error),
    /// Whoever took the tasks wants no more.
    #[error("stopped")]
    Stopped,
}

#[cfg(test)]
impl Error {
    /// Whether the file was read and is no dump, as opposed to not having been read.
    pub(crate) fn is_damage(&self) -> bool {
        !matches!(self, Self::Io(_) | Self::Stopped)
    }
}

/// What a taker of tasks answers when it wants no more of them.
#[derive(Debug)]
pub(crate) struct Stopped;

fn prefix(place: &str) -> String {
    if place.is_empty() {
        String::new()
    } else {
        format!("{place}: ")
    }
}
