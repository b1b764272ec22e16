//! The undo log of a power test: what each write replaced, and what the syncs have made durable.
//!
//! The service appends a record to `<database>-undo` before each change of the database or the WAL, and one after each
//! sync that has returned. After a `kill -9` the files still hold every write, because the kernel keeps its cache. With
//! the undo log, `power_cut` takes back what a disk may not have had yet.

use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use libsqlite3_sys as ffi;

use crate::state::db::files::{beside, open_own};
use crate::state::db::vfs::base_file::{BaseFile, Done};
use crate::state::db::vfs::disk::{Disk, DiskFile};

/// Returns the path of the undo log of a database.
pub(super) fn path_of(database: &Path) -> PathBuf {
    beside(database, "-undo")
}

/// A change of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Change<'a> {
    pub(super) file: DiskFile,
    pub(super) is_truncation: bool,
    /// The first byte that the change wrote or removed.
    pub(super) offset: u64,
    /// The number of these bytes.
    pub(super) length: u64,
    /// The size of the file before the change.
    pub(super) size: u64,
    /// What these bytes were before, up to the end of the file.
    pub(super) old: &'a [u8],
}

/// Time that a recorded sync takes at least, so that a kill seldom misses the writes that wait for it.
const SYNC_TIME: Duration = Duration::from_millis(4);

const WRITE: u8 = 1;
const TRUNCATION: u8 = 2;
const SYNC: u8 = 3;

/// Records the changes of one database's files.
pub(super) struct Recorder(Mutex<UndoLog>);

struct UndoLog {
    file: File,
    /// The number of changes in the log.
    changes: u64,
}

impl Recorder {
    /// Creates an empty undo log.
    pub(super) fn create(database: &Path) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options.append(true);
        let file = open_own(&path_of(database), options)?;
        file.set_len(0)?;
        Ok(Self(Mutex::new(UndoLog { file, changes: 0 })))
    }

    fn log(&self) -> MutexGuard<'_, UndoLog> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Disk for Recorder {
    fn write(&self, file: &BaseFile, data: &[u8], offset: i64) -> Done {
        // No sync begins between the record and the write, so it covers both or none.
        let mut log = self.log();
        log.change(WRITE, file, offset, data.len() as u64)?;
        file.write(data, offset)
    }

    fn truncate(&self, file: &BaseFile, bytes: i64) -> Done {
        let mut log = self.log();
        let removed = file.size()?.saturating_sub(bytes);
        if let Ok(removed @ 1..) = u64::try_from(removed) {
            log.change(TRUNCATION, file, bytes, removed)?;
        }
        file.truncate(bytes)
    }

    fn sync(&self, file: DiskFile, sync: &mut dyn FnMut() -> Done) -> Done {
        let covered = self.log().changes;
        std::thread::sleep(SYNC_TIME);
        sync()?;
        let mut record = vec![SYNC, file as u8];
        record.extend(covered.to_le_bytes());
        self.log().append(&record)
    }
}

impl UndoLog {
    fn change(&mut self, kind: u8, file: &BaseFile, offset: i64, length: u64) -> Done {
        let size = file.size()?.cast_unsigned();
        let start = offset.cast_unsigned();
        let replaced = size.saturating_sub(start).min(length);
        let mut old = vec![0; usize::try_from(replaced).map_err(|_| ffi::SQLITE_TOOBIG)?];
        if !old.is_empty() {
            file.read(&mut old, offset)?;
        }
        let mut record = vec![kind, file.name as u8];
        for number in [start, length, size, replaced] {
            record.extend(number.to_le_bytes());
        }
        record.append(&mut old);
        self.append(&record)?;
        self.changes += 1;
        Ok(())
    }

    /// Appends a record with one call, so that a kill leaves all of it or an incomplete last one.
    fn append(&mut self, record: &[u8]) -> Done {
        self.file.write_all(record).map_err(|_| UNRECORDED)
    }
}

/// The error of a call whose record cannot be written.
const UNRECORDED: c_int = ffi::SQLITE_IOERR_WRITE;

/// Returns the changes in the log that no sync has made durable, oldest first.
///
/// An incomplete record at the end is ignored: its change was not made.
pub(super) fn volatile_changes(log: &[u8]) -> Vec<Change<'_>> {
    let mut rest = log;
    let mut changes = Vec::new();
    let mut durable = [0; 2];
    while let Some(record) = read_record(&mut rest) {
        match record {
            Record::Change(change) => changes.push(change),
            Record::Sync(file, covered) => {
                let durable = &mut durable[file as usize];
                *durable = covered.max(*durable);
            }
        }
    }
    let numbered = (0u64..).zip(changes);
    let volatile = numbered.filter(|(number, change)| *number >= durable[change.file as usize]);
    volatile.map(|(_, change)| change).collect()
}

enum Record<'a> {
    Change(Change<'a>),
    /// A sync of the file, which began when the log had so many changes.
    Sync(DiskFile, u64),
}

fn read_record<'a>(rest: &mut &'a [u8]) -> Option<Record<'a>> {
    let [kind, file] = *rest.split_off(..2)? else {
        return None;
    };
    let file = match file {
        0 => DiskFile::Database,
        _ => DiskFile::Wal,
    };
    if kind == SYNC {
        return Some(Record::Sync(file, read_number(rest)?));
    }
    let [offset, length, size, replaced] = [(); 4].map(|()| read_number(rest));
    let replaced = usize::try_from(replaced?).ok()?;
    Some(Record::Change(Change {
        file,
        is_truncation: kind == TRUNCATION,
        offset: offset?,
        length: length?,
        size: size?,
        old: rest.split_off(..replaced)?,
    }))
}

fn read_number(rest: &mut &[u8]) -> Option<u64> {
    let bytes = rest.split_off(..8)?;
    Some(u64::from_le_bytes(bytes.try_into().ok()?))
}
