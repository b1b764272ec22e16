//! A disk for tests that records writes and stops before each call.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::state::db::files::beside;
use crate::state::db::vfs::base_file::{BaseFile, Done};
use crate::state::db::vfs::disk::{Disk, DiskFile, set_disk};
use crate::state::db::vfs::undo_log::Recorder;

/// Calls a function before each write, truncation and sync. No file changes while the function runs.
pub(crate) struct Moments {
    recorder: Recorder,
    at_call: Mutex<Box<dyn FnMut() + Send>>,
}

impl Moments {
    /// Puts the files of the database at `path`, which is not open yet, on such a disk.
    pub(crate) fn of(path: &Path, at_call: impl FnMut() + Send + 'static) {
        let disk = Self {
            recorder: Recorder::create(path).unwrap(),
            at_call: Mutex::new(Box::new(at_call)),
        };
        set_disk(path, Arc::new(disk));
    }
}

/// Copies a database, its WAL, its undo log and its rollback journal into a new folder. That drops SQLite's locks on the
/// database, which no other process needs in a test.
pub(crate) fn copy_files(database: &Path, folder: &Path) -> PathBuf {
    fs::create_dir(folder).unwrap();
    let copy = folder.join(database.file_name().unwrap());
    for ending in ["", "-wal", "-undo", "-journal"] {
        let file = beside(database, ending);
        if file.exists() {
            fs::copy(file, beside(&copy, ending)).unwrap();
        }
    }
    copy
}

impl Disk for Moments {
    fn write(&self, file: &BaseFile, data: &[u8], offset: i64) -> Done {
        let mut at_call = self.at_call.lock().unwrap();
        at_call();
        self.recorder.write(file, data, offset)
    }

    fn truncate(&self, file: &BaseFile, bytes: i64) -> Done {
        let mut at_call = self.at_call.lock().unwrap();
        at_call();
        self.recorder.truncate(file, bytes)
    }

    fn sync(&self, file: DiskFile, sync: &mut dyn FnMut() -> Done) -> Done {
        self.at_call.lock().unwrap()();
        self.recorder.sync(file, sync)
    }
}
