//! [`SqliteFailure`]: what SQLite says when a call fails.

use std::ffi::{CStr, c_int};

use libsqlite3_sys as ffi;

/// A failed call: SQLite's extended result code, and its message.
#[derive(Debug)]
pub(crate) struct SqliteFailure {
    pub(crate) code: c_int,
    pub(crate) message: String,
}

impl SqliteFailure {
    /// Returns the failure of the last call on this connection.
    pub(super) fn last(db: *mut ffi::sqlite3) -> Self {
        // SAFETY: the caller has an open handle. The text is copied before the next call on it.
        #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
        let (code, message) = unsafe {
            let message = CStr::from_ptr(ffi::sqlite3_errmsg(db));
            (
                ffi::sqlite3_extended_errcode(db),
                message.to_string_lossy().into_owned(),
            )
        };
        Self { code, message }
    }

    /// Returns whether another connection holds the lock that the call needs.
    pub(crate) fn is_busy(&self) -> bool {
        self.code & 0xff == ffi::SQLITE_BUSY
    }
}
