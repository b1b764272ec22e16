//! Copies a whole database file, even while a service runs on it.

use std::path::{Path, PathBuf};

use libsqlite3_sys as ffi;
use sqlx::{Connection, SqliteConnection};

use crate::state::db::open;
use crate::state::db::open_error;
use crate::state::db::open_error::OpenError;

/// An open database to copy.
pub(crate) struct Source {
    conn: SqliteConnection,
    path: PathBuf,
}

impl Source {
    /// Opens the database at `path`.
    ///
    /// # Errors
    /// When it is not a Venom database, or cannot be read.
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let conn = open::open_to_read(path).await?;
        let path = path.to_owned();
        Ok(Self { conn, path })
    }

    /// Returns the path at which it was opened.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a snapshot of the database into the empty file `target`: one file, without free pages and without a
    /// write-ahead log. Concurrent writes are not in it.
    ///
    /// The target is not synced.
    ///
    /// # Errors
    /// When one of the two files cannot be read or written: [`OpenError::Copy`] if it is the target.
    pub(crate) async fn copy_to(&mut self, target: &Path) -> Result<(), OpenError> {
        let wrong = |reason| OpenError::Copy {
            path: target.to_owned(),
            reason,
        };
        let Some(name) = target.to_str() else {
            return Err(wrong("its path is not valid UTF-8".to_owned()));
        };
        let copied = sqlx::query("VACUUM INTO ?").bind(name);
        match copied.execute(&mut self.conn).await {
            Ok(_) => Ok(()),
            Err(error) if is_of_writing(&error) => Err(wrong(open_error::reason(&error))),
            Err(error) => Err(OpenError::sqlite(&self.path, &error)),
        }
    }
}

/// Returns whether SQLite failed to write. The source is only read, so the target is the cause.
fn is_of_writing(error: &sqlx::Error) -> bool {
    let sqlx::Error::Database(error) = error else {
        return false;
    };
    let code = error.code().and_then(|code| code.parse().ok());
    let code: i32 = code.unwrap_or_default();
    matches!(
        code,
        ffi::SQLITE_IOERR_WRITE
            | ffi::SQLITE_IOERR_FSYNC
            | ffi::SQLITE_IOERR_DIR_FSYNC
            | ffi::SQLITE_IOERR_TRUNCATE
    ) || matches!(
        code & 0xFF,
        ffi::SQLITE_FULL | ffi::SQLITE_CANTOPEN | ffi::SQLITE_READONLY
    )
}

/// Copies the write-ahead log into the database file, so that the file alone is complete. The caller holds the database's [`Lock`](crate::state::db::lock::Lock).
///
/// # Errors
/// When it cannot be read or written, such as a damaged file.
pub(crate) async fn fold(path: &Path) -> Result<(), OpenError> {
    let mut conn = open::open_to_write(path).await?;
    let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
    let folded = folded.fetch_one(&mut conn).await;
    let closed = conn.close().await;
    let done = folded.and(closed);
    done.map_err(|error| OpenError::sqlite(path, &error))
}
