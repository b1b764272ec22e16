//! The lock that makes one process the owner of a database.
//!
//! Two files are locked with `flock`, which the operating system releases whenever the process ends:
//!
//! - `<database>.lock`, which exists before the database does and contains the address of the service. It can be
//!   removed by name, and a hard link to the database has another lock file beside it.
//! - the database file itself, on Linux. There `flock` does not conflict with the byte-range locks (`fcntl`) of
//!   SQLite. On other systems it does, and `sqlite3` could not read the file.
//!
//! A process that closes *any* descriptor of a file loses all its byte-range locks on it. So the descriptor is opened
//! before SQLite opens the file and closed after SQLite has closed it. [`check_in_place`] opens the file to try its
//! lock, so only processes that do not have the database open may call it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::state::db::files::{behind_links, open_own};
use crate::state::db::open_error::OpenError;
use crate::state::db::open_files::{FileId, OpenFiles};

/// Time between two checks that the files are still in place. Each commit checks too.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Another process may hold a lock briefly while it tries to take it.
const TRIES: u32 = 20;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);
/// The first word of the line in the lock file that identifies the open database file.
const DATABASE: &str = "database";

/// The exclusive right to the database; held while the service runs.
#[derive(Debug)]
pub(crate) struct Lock {
    path: PathBuf,
    file: File,
    /// The database file. `None` before it exists, and on systems where it cannot be locked.
    database: Option<File>,
    /// The content of the lock file.
    text: String,
}

impl Lock {
    /// Returns the path of the lock file, which is beside the database file itself, not beside a link to it.
    pub(crate) fn path_of(database: &Path) -> PathBuf {
        crate::state::db::files::beside(database, ".lock")
    }

    /// Takes the lock of a database, whether its file exists or not. Its folder must exist.
    ///
    /// # Errors
    /// When another process holds it, or the lock file cannot be written.
    pub(crate) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = Self::path_of(database);
        let failed = |source| OpenError::Lock {
            path: path.clone(),
            source,
        };
        let mut file = open_lock_file(&path).map_err(failed)?;
        for tries_left in (0..TRIES).rev() {
            match file.try_lock() {
                // The earlier owner may have removed the lock file meanwhile.
                Ok(()) if is_at(&file, &path) => break,
                Ok(()) if tries_left > 0 => file = open_lock_file(&path).map_err(failed)?,
                Err(TryLockError::WouldBlock) if tries_left > 0 => sleep(BETWEEN_TRIES),
                Ok(()) | Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::InUse {
                        path: database.to_owned(),
                    });
                }
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        let _ = file.set_len(0);
        let path = std::path::absolute(&path).unwrap_or(path);
        let mut lock = Self {
            path,
            file,
            database: None,
            text: String::new(),
        };
        lock.take_database(database)?;
        Ok(lock)
    }

    /// Locks the database file too, if it exists. SQLite must not have it open yet.
    pub(crate) fn take_database(&mut self, database: &Path) -> Result<(), OpenError> {
        if !cfg!(target_os = "linux") || self.database.is_some() {
            return Ok(());
        }
        let Ok(file) = open_to_lock(database) else {
            // SQLite reports the reason, if the file exists.
            return Ok(());
        };
        for tries_left in (0..TRIES).rev() {
            match file.try_lock() {
                Ok(()) => {
                    self.database = Some(file);
                    return Ok(());
                }
                Err(TryLockError::WouldBlock) if tries_left > 0 => sleep(BETWEEN_TRIES),
                Err(TryLockError::WouldBlock) => {
                    return Err(OpenError::OtherName {
                        path: database.to_owned(),
                    });
                }
                // The file system does not support locks.
                Err(TryLockError::Error(_)) => return Ok(()),
            }
        }
        Ok(())
    }

    /// Writes the service's address and the identity of the open database file into the lock file, for commands on
    /// the same machine.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn announce(&mut self, url: &str, files: &OpenFiles) -> io::Result<()> {
        let FileId { device, inode } = files.database();
        self.text = format!("{url}\n{DATABASE} {device} {inode}\n");
        self.write()
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(self.text.as_bytes())
    }

    /// Checks until `stop` that the database and the lock file are in place, and recreates a lost lock file.
    pub(crate) async fn keep(mut self, files: OpenFiles, stop: CancellationToken) -> Self {
        let mut failures = 0;
        let looking = async {
            loop {
                tokio::time::sleep(CHECK_INTERVAL).await;
                files.lost();
                failures = match self.make_again_if_gone() {
                    Ok(()) => 0,
                    Err(reason) => {
                        // A single failure may be another process that tries the lock.
                        if failures == 1 {
                            tracing::error!(
                                "the lock file {} was removed or replaced and cannot be recreated: {reason}; \
                                 commands on this machine cannot find the service; trying again each second",
                                self.path.display()
                            );
                        }
                        failures + 1
                    }
                };
            }
        };
        stop.run_until_cancelled(looking).await;
        self
    }

    fn make_again_if_gone(&mut self) -> Result<(), String> {
        if is_at(&self.file, &self.path) {
            return Ok(());
        }
        let file = open_lock_file(&self.path).map_err(|error| error.to_string())?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => "another venom process has taken it".to_owned(),
            TryLockError::Error(error) => error.to_string(),
        })?;
        self.file = file;
        self.write().map_err(|error| error.to_string())?;
        tracing::warn!(
            "the lock file {} was removed or replaced; the service has recreated it",
            self.path.display()
        );
        Ok(())
    }
}

impl Drop for Lock {
    /// Clears the address, so that commands do not contact a service that has stopped.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

/// Returns the address in the text of a lock file.
pub(crate) fn announced_address(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim()
}

fn announced_database(text: &str) -> Option<FileId> {
    let mut words = text.lines().nth(1)?.split(' ');
    (words.next()? == DATABASE).then_some(())?;
    Some(FileId {
        device: words.next()?.parse().ok()?,
        inode: words.next()?.parse().ok()?,
    })
}

/// Checks that the file at `database` is the one that a running service has open. Only for processes that do not have
/// the database open.
///
/// # Errors
/// [`OpenError::Replaced`] when the service has another file open, [`OpenError::OtherName`] when the service
/// uses the file under another name, where its write-ahead log is too.
pub(crate) fn check_in_place(database: &Path) -> Result<(), OpenError> {
    let path = Lock::path_of(database);
    if File::open(&path).is_ok_and(|file| is_locked(&file)) {
        let text = fs::read_to_string(&path).unwrap_or_default();
        let here = fs::metadata(database).ok().map(|file| FileId::of(&file));
        return match announced_database(&text) {
            Some(open) if here != Some(open) => Err(OpenError::Replaced {
                path: database.to_owned(),
            }),
            // The service is just starting, or is an older version.
            _ => Ok(()),
        };
    }
    if !cfg!(target_os = "linux") {
        return Ok(());
    }
    // A service whose lock file was removed recreates it within a second.
    match open_to_lock(database) {
        Ok(file) if is_locked(&file) => Err(OpenError::OtherName {
            path: database.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Whether another process holds the lock of this file.
fn is_locked(file: &File) -> bool {
    let tried = file.try_lock_shared();
    matches!(tried, Err(TryLockError::WouldBlock))
}

/// Whether the file is the one at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::symlink_metadata(path)) {
        (Ok(open), Ok(there)) => FileId::of(&open) == FileId::of(&there),
        _ => false,
    }
}

fn open_lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    open_own(path, options)
}

/// The database file, for its lock alone.
fn open_to_lock(database: &Path) -> io::Result<File> {
    // What is no file does not keep us waiting.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(no_wait);
    options.open(behind_links(database))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_lock_file_is_read_with_and_without_its_second_line() {
        let text = "http://127.0.0.1:8000\ndatabase 7 42\n";
        assert_eq!(announced_address(text), "http://127.0.0.1:8000");
        let id = FileId {
            device: 7,
            inode: 42,
        };
        assert_eq!(announced_database(text), Some(id));
        for text in [
            "",
            "http://127.0.0.1:8000",
            "http://x\ndatabase 7",
            "http://x\nfile 7 42",
        ] {
            assert_eq!(announced_database(text), None, "{text}");
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_database_is_locked_by_each_of_its_names_and_without_its_lock_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        fs::write(&path, "").unwrap();
        let other = folder.path().join("other.db");
        fs::hard_link(&path, &other).unwrap();
        let lock = Lock::take(&path).unwrap();
        let taken = Lock::take(&path);
        assert!(matches!(taken, Err(OpenError::InUse { .. })), "{taken:?}");
        let taken = Lock::take(&other);
        assert!(
            matches!(taken, Err(OpenError::OtherName { .. })),
            "{taken:?}"
        );
        assert!(matches!(
            check_in_place(&other),
            Err(OpenError::OtherName { .. })
        ));
        fs::remove_file(Lock::path_of(&path)).unwrap();
        let taken = Lock::take(&path);
        assert!(
            matches!(taken, Err(OpenError::OtherName { .. })),
            "{taken:?}"
        );
        drop(lock);
        Lock::take(&other).unwrap();
    }
}
