//! The VFS itself: SQLite's own, with a few methods of databases and WALs replaced.
//!
//! A file of ours begins with the file of SQLite's VFS and has an [`Extra`] behind it, in the same allocation. Its
//! table of methods is a copy of that VFS's, so SQLite calls each method that is not replaced directly. Files other
//! than databases and WALs are plain files of that VFS.
//!
//! What the unsafe code relies on:
//!
//! - SQLite allocates `szOsFile` bytes for a file, aligned to 8, and does not move them before `xClose` returns.
//! - SQLite's VFS for Unix never reads the table of methods of a file, and reads `pAppData` in `xOpen` alone.
//! - SQLite uses the files of a connection on one thread at a time. It opens a WAL after its database and closes it
//!   before its database.
//! - The name of a WAL that SQLite gives to `xOpen` leads to the file of the database.

#![expect(unsafe_code, reason = "SQLite takes a VFS as C structures")]

use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;

use libsqlite3_sys as ffi;
use libsqlite3_sys::{sqlite3_file, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs};

use crate::state::db::vfs::base_file::{BaseFile, Done};
use crate::state::db::vfs::disk::{Disk, DiskFile, FileOnDisk, disk_of};
use crate::state::db::vfs::frames::Frames;

/// The index of the WAL's write lock among the locks in shared memory.
const WRITE_LOCK: c_int = 0;

/// What a file of ours has behind that of SQLite's VFS.
#[repr(C)]
struct Extra {
    /// The methods that SQLite calls. It is the first field, so the file's `pMethods` is the address of the `Extra`.
    methods: sqlite3_io_methods,
    file: FileOnDisk,
    kind: Kind,
}

enum Kind {
    /// A database. `wal` is null while its WAL is not open.
    Database { wal: *mut sqlite3_file },
    Wal {
        frames: Frames,
        database: *mut sqlite3_file,
    },
}

/// Registers the VFS under `name`.
///
/// # Panics
/// If SQLite has no VFS or no memory.
pub(super) fn register(name: &'static CStr) {
    // SAFETY: SQLite's VFS lives as long as the process. So does the copy, which is leaked.
    unsafe {
        let base = ffi::sqlite3_vfs_find(std::ptr::null());
        assert!(!base.is_null(), "SQLite has a VFS");
        let bytes = extra_offset(base) + size_of::<Extra>();
        let vfs = Box::leak(Box::new(sqlite3_vfs {
            szOsFile: c_int::try_from(bytes).expect("a file is small"),
            pNext: null_mut(),
            zName: name.as_ptr(),
            pAppData: base.cast(),
            xOpen: Some(open),
            ..*base
        }));
        let registered = ffi::sqlite3_vfs_register(vfs, 0);
        assert_eq!(registered, ffi::SQLITE_OK, "SQLite takes the VFS");
    }
}

/// Returns the offset of the [`Extra`] in a file.
///
/// # Safety
/// `base` is SQLite's VFS.
unsafe fn extra_offset(base: *const sqlite3_vfs) -> usize {
    // SAFETY: the caller says so.
    let bytes = unsafe { (*base).szOsFile };
    let bytes = usize::try_from(bytes).expect("a size is positive");
    bytes.next_multiple_of(align_of::<Extra>())
}

unsafe extern "C" fn open(
    vfs: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    const { assert!(align_of::<Extra>() <= 8) };
    // SAFETY: SQLite's VFS gets its own pointer and SQLite's arguments. Behind its file is room for an `Extra`.
    unsafe {
        let base: *mut sqlite3_vfs = (*vfs).pAppData.cast();
        let is_database = flags & ffi::SQLITE_OPEN_MAIN_DB != 0;
        let disk = match is_database {
            true => disk_of(Path::new(OsStr::from_bytes(
                CStr::from_ptr(name).to_bytes(),
            ))),
            false => Ok(None),
        };
        let Ok(disk) = disk else {
            return ffi::SQLITE_CANTOPEN;
        };
        let opened = match (*base).xOpen {
            Some(open) => open(base, name, file, flags, flags_out),
            None => ffi::SQLITE_CANTOPEN,
        };
        if opened != ffi::SQLITE_OK {
            return opened;
        }
        let placed = if is_database {
            Extra::of_database(file, disk)
        } else if flags & ffi::SQLITE_OPEN_WAL != 0 {
            Extra::of_wal(file, ffi::sqlite3_database_file_object(name))
        } else {
            return opened;
        };
        let extra: *mut Extra = file.byte_add(extra_offset(base)).cast();
        extra.write(placed);
        (*file).pMethods = extra.cast();
        opened
    }
}

impl Extra {
    /// # Safety
    /// `file` is a database that SQLite's VFS has just opened.
    unsafe fn of_database(file: *mut sqlite3_file, disk: Option<Arc<dyn Disk>>) -> Self {
        // SAFETY: the caller says so.
        let base = unsafe { BaseFile::new(file, DiskFile::Database) };
        let mut methods = sqlite3_io_methods {
            xClose: Some(close),
            xShmLock: base.methods.xShmLock.and(Some(shm_lock)),
            ..*base.methods
        };
        if disk.is_some() {
            methods = on_disk(methods);
        }
        Self {
            methods,
            file: FileOnDisk { base, disk },
            kind: Kind::Database { wal: null_mut() },
        }
    }

    /// # Safety
    /// `file` is a WAL that SQLite's VFS has just opened, and `database` a file of ours.
    unsafe fn of_wal(file: *mut sqlite3_file, database: *mut sqlite3_file) -> Self {
        // SAFETY: the caller says so.
        let (base, disk) = unsafe {
            set_wal(database, file);
            let disk = extra(database).file.disk.clone();
            (BaseFile::new(file, DiskFile::Wal), disk)
        };
        let frames = Frames::default();
        Self {
            methods: on_disk(sqlite3_io_methods {
                xClose: Some(close),
                xFileSize: Some(file_size),
                ..*base.methods
            }),
            file: FileOnDisk { base, disk },
            kind: Kind::Wal { frames, database },
        }
    }
}

/// Replaces the methods that reach the disk.
fn on_disk(methods: sqlite3_io_methods) -> sqlite3_io_methods {
    sqlite3_io_methods {
        xRead: Some(read),
        xWrite: Some(write),
        xTruncate: Some(truncate),
        xSync: Some(sync),
        ..methods
    }
}

/// Returns what we have of an open file.
///
/// # Safety
/// `file` is a file of ours, and nothing else refers to its `Extra`.
unsafe fn extra<'a>(file: *mut sqlite3_file) -> &'a mut Extra {
    // SAFETY: `open` has set the pointer.
    unsafe { &mut *(*file).pMethods.cast_mut().cast() }
}

/// Sets the WAL of a database; null if it is closed.
///
/// # Safety
/// `database` is a file of ours.
unsafe fn set_wal(database: *mut sqlite3_file, file: *mut sqlite3_file) {
    // SAFETY: no method of the database runs while SQLite opens or closes its WAL.
    if let Kind::Database { wal } = unsafe { &mut extra(database).kind } {
        *wal = file;
    }
}

unsafe extern "C" fn close(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an open file once. Its VFS clears the file's own part only.
    unsafe {
        let extra: *mut Extra = extra(file);
        if let Kind::Wal { database, .. } = (*extra).kind {
            set_wal(database, null_mut());
        }
        let close = (*extra).file.base.methods.xClose;
        extra.drop_in_place();
        close.map_or(ffi::SQLITE_IOERR_CLOSE, |close| close(file))
    }
}

/// Locks or unlocks, and tells the frames of the WAL whether the connection holds the write lock.
unsafe extern "C" fn shm_lock(
    file: *mut sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite gives a database of ours. No method of its WAL runs meanwhile.
    unsafe {
        let Extra {
            file: ours, kind, ..
        } = extra(file);
        let mut frames = match *kind {
            Kind::Database { wal } if first == WRITE_LOCK && !wal.is_null() => frames_of(wal),
            _ => None,
        };
        if let Some(frames) = &mut frames
            && flags & ffi::SQLITE_SHM_UNLOCK != 0
        {
            frames.unlock();
        }
        let Some(lock) = ours.base.methods.xShmLock else {
            return ffi::SQLITE_IOERR_SHMLOCK;
        };
        let done = lock(file, first, count, flags);
        if let Some(frames) = &mut frames
            && flags == ffi::SQLITE_SHM_LOCK | ffi::SQLITE_SHM_EXCLUSIVE
            && done == ffi::SQLITE_OK
        {
            frames.lock();
        }
        done
    }
}

/// Returns the frames of a WAL.
///
/// # Safety
/// `wal` is a file of ours, and nothing else refers to its `Extra`.
unsafe fn frames_of<'a>(wal: *mut sqlite3_file) -> Option<&'a mut Frames> {
    // SAFETY: the caller says so.
    match unsafe { &mut extra(wal).kind } {
        Kind::Wal { frames, .. } => Some(frames),
        Kind::Database { .. } => None,
    }
}

impl Extra {
    fn before_read(&mut self, offset: sqlite3_int64, length: usize) -> Done {
        if let Kind::Wal { frames, .. } = &mut self.kind {
            frames.before_read(offset, length, |data, at| self.file.write(data, at))?;
        }
        self.file.before_read()
    }

    fn write(&mut self, data: &[u8], offset: sqlite3_int64) -> Done {
        match &mut self.kind {
            Kind::Wal { frames, .. } => {
                frames.write(data, offset, |data, at| self.file.write(data, at))
            }
            Kind::Database { .. } => self.file.write(data, offset),
        }
    }

    /// Writes the gathered frames, and returns the file for what comes after them.
    fn flushed(&mut self) -> Result<&FileOnDisk, c_int> {
        if let Kind::Wal { frames, .. } = &mut self.kind {
            frames.flush(|data, at| self.file.write(data, at))?;
        }
        Ok(&self.file)
    }
}

fn code(done: Done) -> c_int {
    done.err().unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    to: *mut c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives a file of ours and a buffer of that length.
    unsafe {
        let ours = extra(file);
        if let Err(code) = ours.before_read(offset, length as usize) {
            return code;
        }
        match ours.file.base.methods.xRead {
            Some(read) => read(file, to, length, offset),
            None => ffi::SQLITE_IOERR_READ,
        }
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    data: *const c_void,
    length: c_int,
    offset: sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives a file of ours and data of that length.
    unsafe {
        let data = std::slice::from_raw_parts(data.cast(), length as usize);
        code(extra(file).write(data, offset))
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, bytes: sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a file of ours.
    let file = unsafe { extra(file) };
    code(file.flushed().and_then(|file| file.truncate(bytes)))
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: SQLite gives a file of ours.
    let file = unsafe { extra(file) };
    code(file.flushed().and_then(|file| file.sync(flags)))
}

unsafe extern "C" fn file_size(file: *mut sqlite3_file, bytes: *mut sqlite3_int64) -> c_int {
    // SAFETY: SQLite gives a file of ours and an integer to write.
    unsafe {
        let size = extra(file).flushed().and_then(|file| file.base.size());
        code(size.map(|size| *bytes = size))
    }
}
