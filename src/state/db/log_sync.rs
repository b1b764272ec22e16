//! [`LogSync`]: makes everything in the write-ahead log durable.

use std::fs::File;
use std::io;
use std::path::Path;

use crate::state::db::files::beside;

/// The write-ahead log of a database. It is synced beside the connection that writes it.
#[derive(Debug)]
pub(crate) struct LogSync(File);

impl LogSync {
    /// Opens the log of `database`. SQLite holds no lock on this file, so closing it releases none.
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        let log = File::options().write(true).open(beside(database, "-wal"))?;
        Ok(Self(log))
    }

    /// Makes everything durable that was written before this call.
    pub(crate) fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}
