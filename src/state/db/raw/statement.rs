//! [`Statement`]: a prepared statement.

use std::ffi::{c_char, c_int};
use std::ptr::{NonNull, null_mut};

use libsqlite3_sys as ffi;

use super::failure::SqliteFailure;
use super::value::SqlValue;

/// A statement that is prepared once and run many times.
pub(crate) struct Statement {
    db: NonNull<ffi::sqlite3>,
    statement: NonNull<ffi::sqlite3_stmt>,
}

// SAFETY: SQLite is compiled thread-safe, and the connection is in serialized mode.
#[expect(unsafe_code, reason = "a statement may change its thread")]
unsafe impl Send for Statement {}

/// What a statement has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) rows: i64,
    /// Row number of the last row that the connection has inserted.
    pub(crate) last_row: i64,
}

/// A row of a result, while the statement stands on it.
pub(crate) struct ResultRow<'a>(&'a Statement);

impl Statement {
    pub(super) fn prepare(db: NonNull<ffi::sqlite3>, sql: &str) -> Result<Self, SqliteFailure> {
        let length = c_int::try_from(sql.len()).unwrap_or(c_int::MAX);
        let mut statement = null_mut();
        // SAFETY: the handle is open, and SQLite reads `length` bytes of the text.
        #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
        let code = unsafe {
            ffi::sqlite3_prepare_v3(
                db.as_ptr(),
                sql.as_ptr().cast::<c_char>(),
                length,
                ffi::SQLITE_PREPARE_PERSISTENT,
                &raw mut statement,
                null_mut(),
            )
        };
        match NonNull::new(statement) {
            Some(statement) if code == ffi::SQLITE_OK => Ok(Self { db, statement }),
            _ => Err(SqliteFailure::last(db.as_ptr())),
        }
    }

    /// Runs the statement and ignores its rows.
    pub(crate) fn run(&mut self, parameters: &[SqlValue<'_>]) -> Result<Changes, SqliteFailure> {
        self.query(parameters, |_| ())
    }

    /// Runs the statement and hands each row of its result to `each`.
    pub(crate) fn query(
        &mut self,
        parameters: &[SqlValue<'_>],
        mut each: impl FnMut(&ResultRow<'_>),
    ) -> Result<Changes, SqliteFailure> {
        self.bind(parameters);
        let ended = loop {
            // SAFETY: the statement is prepared, and what is bound to it lives until it is reset below.
            #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
            let code = unsafe { ffi::sqlite3_step(self.statement.as_ptr()) };
            match code {
                ffi::SQLITE_ROW => each(&ResultRow(self)),
                ffi::SQLITE_DONE => break Ok(self.changes()),
                _ => break Err(SqliteFailure::last(self.db.as_ptr())),
            }
        };
        self.reset();
        ended
    }

    fn bind(&mut self, parameters: &[SqlValue<'_>]) {
        let statement = self.statement.as_ptr();
        for (index, parameter) in (1..).zip(parameters) {
            // SAFETY: the statement is reset. SQLite reads the texts in place (SQLITE_STATIC), and `query` holds them
            // until it resets the statement. An index that is too high is refused.
            #[expect(unsafe_code, reason = "calls of SQLite's C interface")]
            unsafe {
                match *parameter {
                    SqlValue::Null => ffi::sqlite3_bind_null(statement, index),
                    SqlValue::Integer(number) => ffi::sqlite3_bind_int64(statement, index, number),
                    SqlValue::Real(number) => ffi::sqlite3_bind_double(statement, index, number),
                    SqlValue::Text(text) => ffi::sqlite3_bind_text64(
                        statement,
                        index,
                        text.as_ptr().cast::<c_char>(),
                        text.len() as u64,
                        ffi::SQLITE_STATIC(),
                        ffi::SQLITE_UTF8 as u8,
                    ),
                    SqlValue::Blob(bytes) => ffi::sqlite3_bind_blob64(
                        statement,
                        index,
                        bytes.as_ptr().cast(),
                        bytes.len() as u64,
                        ffi::SQLITE_STATIC(),
                    ),
                };
            }
        }
    }

    /// Ends the run and forgets what was bound.
    fn reset(&mut self) {
        // SAFETY: the statement is prepared. The code of a reset repeats that of the failed step.
        #[expect(unsafe_code, reason = "calls of SQLite's C interface")]
        unsafe {
            ffi::sqlite3_reset(self.statement.as_ptr());
            ffi::sqlite3_clear_bindings(self.statement.as_ptr());
        }
    }

    fn changes(&self) -> Changes {
        // SAFETY: the handle is open.
        #[expect(unsafe_code, reason = "calls of SQLite's C interface")]
        unsafe {
            Changes {
                rows: ffi::sqlite3_changes64(self.db.as_ptr()),
                last_row: ffi::sqlite3_last_insert_rowid(self.db.as_ptr()),
            }
        }
    }
}

impl Drop for Statement {
    fn drop(&mut self) {
        // SAFETY: the connection is still open, and nothing else finalizes the statement.
        #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
        unsafe {
            ffi::sqlite3_finalize(self.statement.as_ptr());
        }
    }
}

impl ResultRow<'_> {
    pub(crate) fn integer(&self, column: c_int) -> i64 {
        // SAFETY: the statement stands on a row. SQLite takes any column number, and converts any type.
        #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
        unsafe {
            ffi::sqlite3_column_int64(self.0.statement.as_ptr(), column)
        }
    }

    /// Returns a number, or `None` for NULL.
    pub(crate) fn real(&self, column: c_int) -> Option<f64> {
        // SAFETY: as above.
        #[expect(unsafe_code, reason = "calls of SQLite's C interface")]
        unsafe {
            let statement = self.0.statement.as_ptr();
            let is_null = ffi::sqlite3_column_type(statement, column) == ffi::SQLITE_NULL;
            (!is_null).then(|| ffi::sqlite3_column_double(statement, column))
        }
    }

    /// Returns a text, or `None` for NULL. Bytes that are not UTF-8 become U+FFFD.
    pub(crate) fn text(&self, column: c_int) -> Option<String> {
        // SAFETY: as above. The bytes are copied before the statement steps on.
        #[expect(unsafe_code, reason = "calls of SQLite's C interface")]
        let bytes = unsafe {
            let statement = self.0.statement.as_ptr();
            let bytes = ffi::sqlite3_column_text(statement, column);
            if bytes.is_null() {
                return None;
            }
            let length = usize::try_from(ffi::sqlite3_column_bytes(statement, column));
            std::slice::from_raw_parts(bytes, length.unwrap_or(0))
        };
        Some(String::from_utf8_lossy(bytes).into_owned())
    }
}
