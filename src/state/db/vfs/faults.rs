//! A disk that fails at a chosen call, for tests.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use libsqlite3_sys as ffi;

use crate::state::db::vfs::base_file::{BaseFile, Done};
use crate::state::db::vfs::disk::{Disk, DiskFile, set_disk};

/// The calls that fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailingCall {
    Read,
    Write,
    /// A write that finds the disk full and writes the half.
    WriteOnFullDisk,
    Truncate,
    Sync,
}

/// A fault: the `nth` call fails, counted from 1; with `lasts`, so do all later ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    pub(crate) call: FailingCall,
    pub(crate) nth: u64,
    pub(crate) lasts: bool,
}

/// A disk with faults.
#[derive(Default)]
pub(crate) struct FaultyDisk(Mutex<Armed>);

#[derive(Default)]
struct Armed {
    fault: Option<Fault>,
    calls: u64,
}

impl FaultyDisk {
    /// Puts the files of the database at `path`, which is not open yet, on a disk without a fault.
    pub(crate) fn of(path: &Path) -> Arc<Self> {
        let disk = Arc::<Self>::default();
        set_disk(path, Arc::clone(&disk) as _);
        disk
    }

    /// Begins to count.
    pub(crate) fn arm(&self, fault: Fault) {
        *self.armed() = Armed {
            fault: Some(fault),
            calls: 0,
        };
    }

    /// Takes the fault away, and returns whether a call has met it.
    pub(crate) fn repair(&self) -> bool {
        let armed = std::mem::take(&mut *self.armed());
        armed.fault.is_some_and(|fault| armed.calls >= fault.nth)
    }

    fn armed(&self) -> MutexGuard<'_, Armed> {
        self.0.lock().unwrap()
    }

    /// Counts a call, and returns whether it fails.
    fn fails(&self, call: FailingCall) -> bool {
        let mut armed = self.armed();
        let Some(fault) = armed.fault.filter(|fault| fault.call == call) else {
            return false;
        };
        armed.calls += 1;
        armed.calls == fault.nth || fault.lasts && armed.calls > fault.nth
    }
}

impl Disk for FaultyDisk {
    fn before_read(&self) -> Done {
        match self.fails(FailingCall::Read) {
            true => Err(ffi::SQLITE_IOERR_READ),
            false => Ok(()),
        }
    }

    fn write(&self, file: &BaseFile, data: &[u8], offset: i64) -> Done {
        if self.fails(FailingCall::Write) {
            return Err(ffi::SQLITE_IOERR_WRITE);
        }
        if self.fails(FailingCall::WriteOnFullDisk) {
            let half = &data[..data.len() / 2];
            file.write(half, offset)?;
            return Err(ffi::SQLITE_FULL);
        }
        file.write(data, offset)
    }

    fn truncate(&self, file: &BaseFile, bytes: i64) -> Done {
        match self.fails(FailingCall::Truncate) {
            true => Err(ffi::SQLITE_IOERR_TRUNCATE),
            false => file.truncate(bytes),
        }
    }

    fn sync(&self, _file: DiskFile, sync: &mut dyn FnMut() -> Done) -> Done {
        match self.fails(FailingCall::Sync) {
            true => Err(ffi::SQLITE_IOERR_FSYNC),
            false => sync(),
        }
    }
}
