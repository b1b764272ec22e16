//! What may stand between the VFS and the files of a database: nothing, the record of a power test, or a test's faults.

use std::ffi::c_int;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::state::db::files::behind_links;
use crate::state::db::vfs::base_file::{BaseFile, Done};
use crate::state::db::vfs::undo_log::Recorder;

/// A process that finds this variable in its environment records its writes for `venom crash-test --power`.
pub(crate) const RECORD_WRITES: &str = "VENOM_INTERNAL_RECORD_WRITES";

/// Pages in the WAL at which a commit of such a process runs a checkpoint, so that power cuts meet checkpoints.
const RECORDED_PAGES: u32 = 200;

/// Returns whether this process records its writes.
fn records_writes() -> bool {
    std::env::var_os(RECORD_WRITES).is_some()
}

/// Returns the pages in the WAL at which a commit runs a checkpoint: `pages`, or fewer in a power test.
pub(crate) fn checkpoint_pages(pages: u32) -> u32 {
    match records_writes() {
        true => RECORDED_PAGES,
        false => pages,
    }
}

/// A file of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DiskFile {
    Database,
    Wal,
}

/// Sees the calls for the files of one database, and passes them on.
pub(super) trait Disk: Send + Sync {
    fn before_read(&self) -> Done {
        Ok(())
    }

    fn write(&self, file: &BaseFile, data: &[u8], offset: i64) -> Done {
        file.write(data, offset)
    }

    fn truncate(&self, file: &BaseFile, bytes: i64) -> Done {
        file.truncate(bytes)
    }

    /// Passes on a sync, which `sync` does.
    fn sync(&self, _file: DiskFile, sync: &mut dyn FnMut() -> Done) -> Done {
        sync()
    }
}

/// The disks of this process, by the path of the database.
static DISKS: Mutex<Vec<(PathBuf, Arc<dyn Disk>)>> = Mutex::new(Vec::new());

/// Returns the disk of the database at `path`, if it has one.
pub(super) fn disk_of(path: &Path) -> io::Result<Option<Arc<dyn Disk>>> {
    let path = full_path(path);
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, disk)) = disks.iter().find(|(database, _)| *database == path) {
        return Ok(Some(Arc::clone(disk)));
    }
    if !records_writes() {
        return Ok(None);
    }
    let recorder: Arc<dyn Disk> = Arc::new(Recorder::create(&path)?);
    disks.push((path, Arc::clone(&recorder)));
    Ok(Some(recorder))
}

/// Puts the files of the database at `path`, which is not open yet, on this disk.
#[cfg(test)]
pub(super) fn set_disk(path: &Path, disk: Arc<dyn Disk>) {
    let mut disks = DISKS.lock().unwrap_or_else(PoisonError::into_inner);
    disks.push((full_path(path), disk));
}

/// Returns the path of the database without links and dots.
fn full_path(path: &Path) -> PathBuf {
    let path = behind_links(path);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    match (folder.canonicalize(), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// An open file on its disk.
pub(super) struct FileOnDisk {
    pub(super) base: BaseFile,
    pub(super) disk: Option<Arc<dyn Disk>>,
}

impl FileOnDisk {
    pub(super) fn before_read(&self) -> Done {
        self.disk.as_ref().map_or(Ok(()), |disk| disk.before_read())
    }

    pub(super) fn write(&self, data: &[u8], offset: i64) -> Done {
        match &self.disk {
            Some(disk) => disk.write(&self.base, data, offset),
            None => self.base.write(data, offset),
        }
    }

    pub(super) fn truncate(&self, bytes: i64) -> Done {
        match &self.disk {
            Some(disk) => disk.truncate(&self.base, bytes),
            None => self.base.truncate(bytes),
        }
    }

    pub(super) fn sync(&self, flags: c_int) -> Done {
        match &self.disk {
            Some(disk) => disk.sync(self.base.name, &mut || self.base.sync(flags)),
            None => self.base.sync(flags),
        }
    }
}
