//! Makes the WAL durable from a thread that does not use SQLite.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use libsqlite3_sys as ffi;

use crate::state::db::files::beside;
use crate::state::db::vfs::disk::{Disk, DiskFile, disk_of};

/// The WAL of a database, open beside SQLite.
///
/// SQLite holds no locks on the WAL, so closing this descriptor releases none.
pub(crate) struct LogSync {
    wal: File,
    disk: Option<Arc<dyn Disk>>,
}

impl LogSync {
    /// Opens the WAL of the database at `database`, which SQLite has open.
    ///
    /// # Errors
    /// When there is no WAL or it cannot be opened.
    pub(crate) fn open(database: &Path) -> io::Result<Self> {
        Ok(Self {
            wal: File::open(beside(database, "-wal"))?,
            disk: disk_of(database)?,
        })
    }

    /// Returns when everything that was written to the WAL before the call is on disk.
    ///
    /// # Errors
    /// When the disk fails. What was written may be lost then, even if a later call succeeds.
    pub(crate) fn sync(&self) -> io::Result<()> {
        let Some(disk) = &self.disk else {
            return self.wal.sync_data();
        };
        let mut synced = Ok(());
        let seen = disk.sync(DiskFile::Wal, &mut || {
            synced = self.wal.sync_data();
            match synced {
                Ok(()) => Ok(()),
                Err(_) => Err(ffi::SQLITE_IOERR_FSYNC),
            }
        });
        match seen {
            Err(_) if synced.is_ok() => Err(io::Error::other("the simulated disk failed")),
            _ => synced,
        }
    }
}
