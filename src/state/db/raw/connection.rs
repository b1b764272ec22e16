//! [`RawConnection`]: the handle of a connection that sqlx has opened.

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use libsqlite3_sys as ffi;
use sqlx::SqliteConnection;

use super::failure::SqliteFailure;
use super::statement::Statement;

/// The handle of the Writer's connection.
pub(crate) struct RawConnection {
    db: NonNull<ffi::sqlite3>,
    /// Pages in the write-ahead log after the last commit of this connection.
    log_pages: Arc<AtomicU32>,
}

// SAFETY: SQLite is compiled thread-safe, and the connection is in serialized mode.
#[expect(unsafe_code, reason = "a handle of SQLite may change its thread")]
unsafe impl Send for RawConnection {}

impl RawConnection {
    /// Returns the handle of `conn`, which must outlive it and its statements. From now on no commit of the connection
    /// runs a checkpoint.
    pub(crate) async fn of(conn: &mut SqliteConnection) -> Result<Self, sqlx::Error> {
        let mut handle = conn.lock_handle().await?;
        let db = handle.as_raw_handle();
        let log_pages = Arc::<AtomicU32>::default();
        // SAFETY: the handle is locked. The counter lives as long as this value, and the hook is removed when it is
        // dropped.
        #[expect(unsafe_code, reason = "sqlx does not offer this hook")]
        unsafe {
            let counter = Arc::as_ptr(&log_pages).cast_mut().cast::<c_void>();
            ffi::sqlite3_wal_hook(db.as_ptr(), Some(note_pages), counter);
        }
        Ok(Self { db, log_pages })
    }

    /// Prepares a statement, to be run many times.
    pub(crate) fn prepare(&self, sql: &str) -> Result<Statement, SqliteFailure> {
        Statement::prepare(self.db, sql)
    }

    /// Returns the number of pages in the write-ahead log after the last commit of this connection.
    pub(crate) fn log_pages(&self) -> u32 {
        self.log_pages.load(Ordering::Relaxed)
    }

    /// Sets how long a statement waits for the lock of another connection.
    pub(crate) fn set_busy_timeout(&self, time: Duration) {
        let millis = c_int::try_from(time.as_millis()).unwrap_or(c_int::MAX);
        // SAFETY: the handle is open.
        #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
        unsafe {
            ffi::sqlite3_busy_timeout(self.db.as_ptr(), millis);
        }
    }

    /// Switches the triggers of the database on or off for this connection. Temporary ones are always on.
    pub(crate) fn enable_triggers(&self, are_on: bool) {
        set_triggers(self.db, are_on);
    }

    pub(super) fn as_ptr(&self) -> *mut ffi::sqlite3 {
        self.db.as_ptr()
    }
}

impl Drop for RawConnection {
    fn drop(&mut self) {
        // SAFETY: the connection is still open.
        #[expect(unsafe_code, reason = "the hook must not outlive its counter")]
        unsafe {
            ffi::sqlite3_wal_hook(self.db.as_ptr(), None, std::ptr::null_mut());
        }
    }
}

/// Switches the triggers of the database on or off for this connection. Temporary ones are always on.
pub(crate) async fn enable_triggers(
    conn: &mut SqliteConnection,
    are_on: bool,
) -> Result<(), sqlx::Error> {
    let mut handle = conn.lock_handle().await?;
    set_triggers(handle.as_raw_handle(), are_on);
    Ok(())
}

fn set_triggers(db: NonNull<ffi::sqlite3>, are_on: bool) {
    // SAFETY: the handle is open, and this option takes an integer and a pointer that may be null.
    #[expect(unsafe_code, reason = "SQLite has no statement for it")]
    unsafe {
        ffi::sqlite3_db_config(
            db.as_ptr(),
            ffi::SQLITE_DBCONFIG_ENABLE_TRIGGER,
            c_int::from(are_on),
            std::ptr::null_mut::<c_int>(),
        );
    }
}

/// Notes the size of the write-ahead log. SQLite calls it after each commit.
#[expect(unsafe_code, reason = "a function for SQLite")]
unsafe extern "C" fn note_pages(
    counter: *mut c_void,
    _db: *mut ffi::sqlite3,
    _name: *const std::ffi::c_char,
    pages: c_int,
) -> c_int {
    // SAFETY: the pointer is that of the counter, which lives until the hook is removed.
    let counter = unsafe { &*counter.cast::<AtomicU32>() };
    counter.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
    ffi::SQLITE_OK
}
