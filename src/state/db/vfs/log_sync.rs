//! Makes the WAL durable from a thread that does not use SQLite.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::state::db::files::beside;

/// The WAL of a database, open beside SQLite.
///
/// SQLite holds no locks on the WAL, so closing this descriptor releases none.
#[derive(Debug)]
pub(crate) struct LogSync {
    wal: File,
}

impl LogSync {
    /// Opens the WAL of the database at `database`, which SQLite has open.
    ///
    /// # Errors
    /// When there is no WAL or it cannot be opened.
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        let wal = File::open(beside(database, "-wal"))?;
        Ok(Self { wal })
    }

    /// Returns when everything that was written to the WAL before the call is on disk.
    ///
    /// # Errors
    /// When the disk fails. What was written may be lost then, even if a later call succeeds.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.wal.sync_data()
    }
}
