//! Why the state could not be read or written, in the terms of those who asked.
//!
//! Each variant is an answer somebody can give: [`Error::Busy`], [`Error::Stopping`],
//! [`Error::Unavailable`], [`Error::TooManySearches`] and [`Error::SearchTooLong`] mean "not done, try
//! again later"; [`Error::Refused`] means "never, as it
//! is"; [`Error::Corrupt`] stops the process; the others say what stands in the way.

use libsqlite3_sys as ffi;

use crate::models::TaskId;
use crate::state::db::open_files::REFUSAL;

/// The column of the index `tasks_unique`, as SQLite names it behind a conflict.
const UNIQUE_KEY: &str = ": tasks.unique_key";

/// A failed read or write of the state.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Too much is waiting to be written.
    #[error("the service has more to write than it takes at once; try again in a moment")]
    Busy,
    /// The service is shutting down.
    #[error("the service is shutting down")]
    Stopping,
    /// The storage does not take writes (or give reads) at this moment.
    #[error("the storage is unavailable: {0}")]
    Unavailable(String),
    /// Others search, and have not ended in time.
    #[error("other searches are under way; try again in a moment")]
    TooManySearches,
    /// A search took longer than it may.
    #[error(
        "the search took too long and was stopped; narrow it: fewer words, or a session_id, or a \
         shorter time with since and until"
    )]
    SearchTooLong,
    /// The database refuses this write whoever retries it.
    #[error("the database refused the write: {0}")]
    Refused(String),
    /// The database file is damaged.
    #[error("the database is damaged: {0}")]
    Corrupt(String),
    /// Another task that is not final has the unique key.
    #[error("the task {task_id} has this unique_key and is not finished")]
    Taken { task_id: TaskId },
    /// The `Idempotency-Key` belongs to another request.
    #[error("the Idempotency-Key was used for another request")]
    KeyReused,
    /// A task that was to be waited for does not exist.
    #[error("no task has the id {task_id}")]
    NoUpstream { task_id: TaskId },
    /// Two tasks of one request have the same unique key.
    #[error("an earlier task of this request has the same unique_key")]
    TwiceInBatch { index: usize, key: String },
    /// One of the tasks of a request is refused, and so are all.
    #[error("task {index}: {error}")]
    OfTask { index: usize, error: Box<Error> },
    /// The task is in no state for what was asked.
    #[error("{0}")]
    Conflict(String),
    /// A task that another one waited for was deleted before that one had its result.
    #[error("the upstream task {task_id} is not there any more, and so its result is missing")]
    NoInput { task_id: TaskId },
    /// Another task that is not final has the unique key; which one it is was not asked.
    #[error("another task that is not finished has this unique_key")]
    KeyTaken,
    /// A row that the service cannot have written.
    #[error("a row of the database cannot be read: {0}")]
    BadRow(String),
}

impl Error {
    /// Whether the database refused what was written, so that others of the same transaction may pass.
    pub(crate) fn is_of_row(&self) -> bool {
        matches!(self, Self::Refused(_) | Self::KeyTaken)
    }

    /// The same, said of one of many tasks.
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
        let message = database.message().to_owned();
        let code = database
            .code()
            .and_then(|code| code.parse::<i32>().ok())
            .unwrap_or(0);
        if code == ffi::SQLITE_CONSTRAINT_COMMITHOOK {
            return Self::Unavailable(REFUSAL.to_owned());
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
}

impl From<serde_json::Error> for Error {
    fn from(error: serde_json::Error) -> Self {
        Self::BadRow(error.to_string())
    }
}
