//! The errors of the state.
//!
//! [`Error::Busy`], [`Error::Stopping`], [`Error::Unavailable`], [`Error::TooManySearches`] and
//! [`Error::SearchTooLong`] mean that nothing was done and a retry may succeed. [`Error::Refused`] fails again
//! however often it is retried. [`Error::Corrupt`] stops the process. The others name the conflict.

use libsqlite3_sys as ffi;

use crate::models::TaskId;
use crate::state::db::raw::failure::SqliteFailure;

/// The end of SQLite's message about a conflict in the index `tasks_unique`.
const UNIQUE_KEY: &str = ": tasks.unique_key";

/// The reason in the 503 that clients get.
pub(crate) const FILES_REPLACED: &str = "its files were replaced or removed while the service was running, so new tasks \
     would be lost; run `venom doctor` to see which file and what to do";

/// A failed read or write of the state.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Too many submissions wait for the Writer.
    #[error(
        "the service is overloaded: too many submissions wait to be written; try again in a moment"
    )]
    Busy,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Stopping,
    /// The storage accepts no writes or reads at the moment.
    #[error("the storage is unavailable: {0}")]
    Unavailable(String),
    /// All search connections are busy.
    #[error("too many searches are running; try again in a moment")]
    TooManySearches,
    /// A search exceeded its time limit.
    #[error(
        "the search took too long and was stopped; narrow it with fewer words, with session_id, or with since \
         and until"
    )]
    SearchTooLong,
    /// The database refuses this write. A retry fails too.
    #[error("the database refused the write: {0}")]
    Refused(String),
    /// The database file is damaged.
    #[error(
        "the database is damaged: {0}; run `venom doctor`, and restore a backup with `venom restore`"
    )]
    Corrupt(String),
    /// An open task has the unique key.
    #[error("the open task {task_id} already has this unique_key")]
    Taken { task_id: TaskId },
    /// The `Idempotency-Key` belongs to another request.
    #[error("the Idempotency-Key was already used for a different request")]
    KeyReused,
    /// A dependency does not exist.
    #[error("the dependency {task_id} does not exist")]
    NoUpstream { task_id: TaskId },
    /// Two tasks of one request have the same unique key.
    #[error("an earlier task of this request has the same unique_key")]
    TwiceInBatch { index: usize, key: String },
    /// One task of a request is refused, so the whole request is.
    #[error("task {index}: {error}")]
    OfTask { index: usize, error: Box<Error> },
    /// The status of the task does not allow the action.
    #[error("{0}")]
    Conflict(String),
    /// A dependency was deleted before its result was read.
    #[error("the dependency {task_id} was deleted, so its result is missing")]
    NoInput { task_id: TaskId },
    /// An open task has the unique key. Which task it is was not looked up.
    #[error("an open task already has this unique_key")]
    KeyTaken,
    /// A row that the service cannot have written itself.
    #[error("the database has a damaged row: {0}")]
    BadRow(String),
}

impl Error {
    /// Returns whether the error is about one row, so that the others of the transaction may succeed.
    pub(crate) fn is_of_row(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::KeyTaken)
    }

    /// Returns the error that an extended result code of SQLite and its message mean.
    fn of_sqlite(code: i32, message: String) -> Self {
        if code == ffi::SQLITE_CONSTRAINT_COMMITHOOK {
            return Self::Unavailable(FILES_REPLACED.to_owned());
        }
        match code & 0xff {
            ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED => {
                Self::Unavailable("another program is writing to the database".to_owned())
            }
            ffi::SQLITE_INTERRUPT => Self::SearchTooLong,
            _ if code == ffi::SQLITE_CONSTRAINT_UNIQUE && message.ends_with(UNIQUE_KEY) => {
                Self::KeyTaken
            }
            ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB => Self::Corrupt(message),
            ffi::SQLITE_CONSTRAINT | ffi::SQLITE_TOOBIG | ffi::SQLITE_MISMATCH => {
                Self::Refused(message)
            }
            _ => Self::Unavailable(message),
        }
    }

    /// Returns the error as that of one task of a request.
    pub(crate) fn of_task(self, index: usize) -> Self {
        let error = Box::new(self);
        Self::OfTask { index, error }
    }
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = &error else {
            return match error {
                sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
                    Self::BadRow(error.to_string())
                }
                other => Self::Unavailable(other.to_string()),
            };
        };
        let code = database
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .unwrap_or(0);
        Self::of_sqlite(code, database.message().to_owned())
    }
}

impl From<SqliteFailure> for Error {
    fn from(failure: SqliteFailure) -> Self {
        Self::of_sqlite(failure.code, failure.message)
    }
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::BadRow(error.to_string())
    }
}
