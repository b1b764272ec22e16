//! A power cut: changes the files of a killed service to what a disk may hold of them.
//!
//! A disk keeps what was synced. Each write after that may be there, be missing, or be there in part: a sector of 512
//! bytes is the least that a disk writes as a whole.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::state::db::files::beside;
use crate::state::db::vfs::disk::DiskFile;
use crate::state::db::vfs::undo_log::{Change, path_of, volatile_changes};

const SECTOR: u64 = 512;

/// What the disk has lost of the writes that were not synced.
#[derive(Clone, Copy, Debug)]
enum Loss {
    Everything,
    /// The newest write.
    Newest,
    /// The newest write from this sector of the file on.
    TornNewest(u64),
    /// Each sector and each size that a write has changed, with this probability.
    Sectors(f64),
}

/// Cuts the power of the database at `path`, which no process has open. Returns the number of changes that were not
/// synced.
///
/// # Errors
/// When the files cannot be read and written.
pub(crate) fn cut_power(path: &Path, rng: &mut fastrand::Rng) -> io::Result<usize> {
    let undo_log = path_of(path);
    let log = match fs::read(&undo_log) {
        // The process was killed before it opened the database.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        log => log?,
    };
    let changes = volatile_changes(&log);
    let loss = Loss::choose(&changes, rng);
    for (age, change) in changes.iter().rev().enumerate() {
        let name = match change.file {
            DiskFile::Database => path.to_owned(),
            DiskFile::Wal => beside(path, "-wal"),
        };
        let file = match File::options().read(true).write(true).open(name) {
            // SQLite removes a WAL whose pages are all in the synced database.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file?,
        };
        undo(&file, change, |sector| loss.takes(age, sector, rng))?;
    }
    // The index of the WAL is in memory.
    match fs::remove_file(beside(path, "-shm")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::remove_file(undo_log)?;
    Ok(changes.len())
}

impl Loss {
    fn choose(changes: &[Change<'_>], rng: &mut fastrand::Rng) -> Self {
        match (rng.u8(..6), changes.last()) {
            (0, _) => Self::Everything,
            (1, _) => Self::Newest,
            (2, Some(newest)) if newest.length > 0 => {
                let byte = rng.u64(newest.offset..newest.offset + newest.length);
                Self::TornNewest(byte / SECTOR)
            }
            // Few sectors, about half of them, or most.
            (3, _) => Self::Sectors(0.02),
            (4, _) => Self::Sectors(0.9),
            _ => Self::Sectors(0.5),
        }
    }

    /// Returns whether the disk has lost a sector of the change that has this age, or its size (`None`).
    fn takes(self, age: usize, sector: Option<u64>, rng: &mut fastrand::Rng) -> bool {
        match self {
            Self::Everything => true,
            Self::Newest => age == 0,
            Self::TornNewest(first) => age == 0 && sector.is_some_and(|sector| sector >= first),
            Self::Sectors(probability) => rng.f64() < probability,
        }
    }
}

/// Takes back the parts of a change that are lost.
fn undo(
    file: &File,
    change: &Change<'_>,
    mut is_lost: impl FnMut(Option<u64>) -> bool,
) -> io::Result<()> {
    if change.is_truncation {
        if is_lost(None) {
            file.set_len(change.size)?;
            file.write_all_at(change.old, change.offset)?;
        }
        return Ok(());
    }
    let end = change.offset + change.length;
    let mut start = change.offset;
    while start < end {
        let next = (start / SECTOR + 1) * SECTOR;
        if is_lost(Some(start / SECTOR)) {
            restore(file, change, start, next.min(end))?;
        }
        start = next;
    }
    if end > change.size && is_lost(None) && file.metadata()?.len() > change.size {
        file.set_len(change.size)?;
    }
    Ok(())
}

/// Restores the bytes from `start` to `end`. Those beyond the old end of the file become zeros; the file does not grow.
fn restore(file: &File, change: &Change<'_>, start: u64, end: u64) -> io::Result<()> {
    let end = end.min(file.metadata()?.len());
    let old = |at: u64| {
        let index = usize::try_from(at - change.offset).ok()?;
        change.old.get(index).copied()
    };
    let bytes: Vec<u8> = (start..end).map(|at| old(at).unwrap_or(0)).collect();
    file.write_all_at(&bytes, start)
}
