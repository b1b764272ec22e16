//! Makes the WAL durable from a thread that does not use SQLite.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use libsqlite3_sys as ffi;

use crate::state::db::files::beside;
use crate::state::db::vfs::disk::{Disk, DiskFile, disk_of};

/// Bytes that are written again in one call.
const REWRITTEN_AT_ONCE: usize = 1 << 20;

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
            wal: File::options()
                .read(true)
                .write(true)
                .open(beside(database, "-wal"))?,
            disk: disk_of(database)?,
        })
    }

    /// Writes the WAL again as it is, and syncs it: after a failed sync, that what was dropped from memory as written is
    /// written. The caller keeps others from writing to it.
    ///
    /// # Errors
    /// When the disk fails again.
    pub(crate) fn rewrite(&self) -> io::Result<()> {
        let mut bytes = vec![0; REWRITTEN_AT_ONCE];
        let mut at = 0;
        loop {
            let read = self.wal.read_at(&mut bytes, at)?;
            if read == 0 {
                return self.sync();
            }
            self.wal.write_all_at(&bytes[..read], at)?;
            at += read as u64;
        }
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
