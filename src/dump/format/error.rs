//! Why a dump could not be read to its end.

use std::io;

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
