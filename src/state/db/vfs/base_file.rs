//! An open file of SQLite's own VFS, and safe calls of its methods.

#![expect(unsafe_code, reason = "SQLite's methods are C functions")]

use std::ffi::c_int;

use libsqlite3_sys as ffi;
use libsqlite3_sys::{sqlite3_file, sqlite3_int64, sqlite3_io_methods};

use crate::state::db::vfs::disk::DiskFile;

/// The result of a call: an error has SQLite's code.
pub(super) type Done = Result<(), c_int>;

/// A file that SQLite's VFS has opened.
pub(super) struct BaseFile {
    file: *mut sqlite3_file,
    pub(super) methods: &'static sqlite3_io_methods,
    pub(super) name: DiskFile,
}

impl BaseFile {
    /// Takes a file that SQLite's VFS has just opened.
    ///
    /// # Safety
    /// The file stays open and at its place as long as the value lives, and one thread at a time uses it.
    pub(super) unsafe fn new(file: *mut sqlite3_file, name: DiskFile) -> Self {
        // SAFETY: an open file has methods, which are constants of SQLite.
        let methods = unsafe { &*(*file).pMethods };
        Self {
            file,
            methods,
            name,
        }
    }

    /// Fills `to`. Fails with a short read if the file ends before.
    pub(super) fn read(&self, to: &mut [u8], offset: sqlite3_int64) -> Done {
        let (Some(read), Ok(length)) = (self.methods.xRead, to.len().try_into()) else {
            return Err(ffi::SQLITE_IOERR_READ);
        };
        // SAFETY: the file is open, and the buffer has that length.
        done(unsafe { read(self.file, to.as_mut_ptr().cast(), length, offset) })
    }

    pub(super) fn write(&self, data: &[u8], offset: sqlite3_int64) -> Done {
        let (Some(write), Ok(length)) = (self.methods.xWrite, data.len().try_into()) else {
            return Err(ffi::SQLITE_IOERR_WRITE);
        };
        // SAFETY: the file is open, and the data has that length.
        done(unsafe { write(self.file, data.as_ptr().cast(), length, offset) })
    }

    pub(super) fn truncate(&self, bytes: sqlite3_int64) -> Done {
        let truncate = self.methods.xTruncate.ok_or(ffi::SQLITE_IOERR_TRUNCATE)?;
        // SAFETY: the file is open.
        done(unsafe { truncate(self.file, bytes) })
    }

    pub(super) fn sync(&self, flags: c_int) -> Done {
        let sync = self.methods.xSync.ok_or(ffi::SQLITE_IOERR_FSYNC)?;
        // SAFETY: the file is open.
        done(unsafe { sync(self.file, flags) })
    }

    /// Returns the size in bytes.
    pub(super) fn size(&self) -> Result<sqlite3_int64, c_int> {
        let size = self.methods.xFileSize.ok_or(ffi::SQLITE_IOERR_FSTAT)?;
        let mut bytes = 0;
        // SAFETY: the file is open, and SQLite writes one integer.
        done(unsafe { size(self.file, &raw mut bytes) })?;
        Ok(bytes)
    }
}

fn done(code: c_int) -> Done {
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(code),
    }
}
