//! Detects that the database files were replaced or removed while the service has them open.
//!
//! SQLite keeps its descriptors. After such a replacement the service would write into a file without a name, and
//! everything it accepts would be lost at its end. So the Writer's connection checks before every commit
//! ([`OpenFiles::guard`]): without its files a commit is rolled back, and the clients get a 503. A check is three
//! calls of `stat`, a few microseconds.
//!
//! Nothing here opens a database file, because closing any descriptor of it would release all POSIX locks that SQLite
//! holds on it in this process.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libsqlite3_sys as ffi;
use sqlx::SqliteConnection;

use crate::state::db::files::beside;

/// The files of a database in WAL mode: the database, the log, and the index of the log.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];

/// The identity of a file, independent of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
}

impl FileId {
    pub(crate) fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
        }
    }
}

/// The files that the service has open; clone it freely.
#[derive(Clone, Debug)]
pub(crate) struct OpenFiles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    files: [(PathBuf, FileId); 3],
    /// Whether the error was logged.
    is_logged: AtomicBool,
}

/// What is at the path instead of the open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instead {
    Nothing,
    AnotherFile,
}

/// An open file that is not at its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostFile {
    path: PathBuf,
    instead: Instead,
    /// Whether it is the database itself. What the other two hold, the Writer can still copy into the database.
    is_database: bool,
}

impl LostFile {
    /// Describes what happened, as a sentence without a full stop.
    pub(crate) fn what(&self) -> String {
        self.happened_to(&self.path)
    }

    /// Describes what happened without the folder, for clients.
    pub(crate) fn what_briefly(&self) -> String {
        let name = Path::new(self.path.file_name().unwrap_or_default());
        format!("the database file {}", self.happened_to(name))
    }

    fn happened_to(&self, path: &Path) -> String {
        let path = path.display();
        match self.instead {
            Instead::Nothing => format!("{path} was removed while the service was running"),
            Instead::AnotherFile => {
                format!("{path} was replaced by another file while the service was running")
            }
        }
    }

    /// Returns what to do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match self.is_database {
            true => {
                "put the original file back, or save the tasks with `venom export`; then restart the service. To \
                 replace a database by a backup, stop the service and use `venom restore`"
            }
            false => "restart the service; every accepted task is in the database",
        }
    }
}

impl OpenFiles {
    /// Remembers the files of the database at `path`, which SQLite has just opened in WAL mode.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        // An absolute path stays the same when the working directory changes.
        let path = std::path::absolute(path)?;
        let known = |ending| {
            let file = beside(&path, ending);
            let id = FileId::of(&fs::metadata(&file)?);
            io::Result::Ok((file, id))
        };
        let [database, log, index] = ENDINGS.map(known);
        Ok(Self(Arc::new(Inner {
            files: [database?, log?, index?],
            is_logged: AtomicBool::new(false),
        })))
    }

    /// Returns the identity of the database file.
    pub(crate) fn database(&self) -> FileId {
        self.0.files[0].1
    }

    /// Returns the first file that is not at its path, and logs it once.
    pub(crate) fn lost(&self) -> Option<LostFile> {
        let mut files = self.0.files.iter().enumerate();
        let lost = files.find_map(|(index, (path, id))| {
            Some(LostFile {
                path: path.clone(),
                instead: instead_of(path, *id)?,
                is_database: index == 0,
            })
        });
        self.log(lost.as_ref());
        lost
    }

    fn log(&self, lost: Option<&LostFile>) {
        let is_logged = &self.0.is_logged;
        match lost {
            // The load covers the usual case and is cheaper than the swap.
            None if is_logged.load(Ordering::Relaxed)
                && is_logged.swap(false, Ordering::Relaxed) =>
            {
                tracing::info!(
                    "the database files are back in place; the service accepts tasks again"
                );
            }
            Some(lost) if !is_logged.swap(true, Ordering::Relaxed) => tracing::error!(
                "{}; the service accepts no tasks, because they would be lost: {}",
                lost.what(),
                lost.advice()
            ),
            _ => {}
        }
    }

    /// Makes the connection roll back every commit while a file is lost.
    pub(crate) async fn guard(&self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let files = self.clone();
        let mut handle = conn.lock_handle().await?;
        handle.set_commit_hook(move || files.lost().is_none());
        Ok(())
    }
}

/// Returns what is at `path` instead of the file; `None` if it is the file, or if that is unknown.
fn instead_of(path: &Path, id: FileId) -> Option<Instead> {
    match fs::metadata(path) {
        Ok(file) if FileId::of(&file) == id => None,
        Ok(_) => Some(Instead::AnotherFile),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Some(Instead::Nothing)
        }
        // A folder that cannot be read at the moment tells nothing about the file.
        Err(_) => None,
    }
}

/// Keeps SQLite from removing the log when the connection closes. It removes the log by its name, which may belong to
/// another database by then.
pub(crate) async fn keep_log_at_close(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let mut handle = conn.lock_handle().await?;
    let mut keeps: std::ffi::c_int = 1;
    // SAFETY: the handle is locked for this call, and SQLite writes no more than the integer.
    #[expect(unsafe_code, reason = "SQLite has no statement for it")]
    unsafe {
        ffi::sqlite3_file_control(
            handle.as_raw_handle().as_ptr(),
            c"main".as_ptr(),
            ffi::SQLITE_FCNTL_PERSIST_WAL,
            (&raw mut keeps).cast(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;
    use crate::state::db::open;

    #[tokio::test]
    async fn each_of_the_three_files_is_missed_and_one_that_returns_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let mut connections = open::open(&path, Durability::Normal).await.unwrap();
        let files = connections.files.clone();
        let insert = "INSERT INTO tasks(content) VALUES ('x')";
        for ending in ENDINGS {
            assert_eq!(files.lost(), None);
            let (file, aside) = (beside(&path, ending), folder.path().join("aside"));
            fs::rename(&file, &aside).unwrap();
            let lost = files.lost().expect("it is gone");
            assert!(lost.what().contains("removed"), "{}", lost.what());
            fs::copy(&aside, &file).unwrap();
            let lost = files.lost().expect("a copy is another file");
            assert!(lost.what().contains("replaced"), "{}", lost.what());
            assert_eq!(lost.is_database, ending.is_empty());
            let refused = sqlx::query(insert).execute(&mut connections.write).await;
            let error = crate::state::error::Error::from(refused.unwrap_err());
            assert!(error.to_string().contains("replaced or removed"), "{error}");
            fs::rename(&aside, &file).unwrap();
            let insert = sqlx::query(insert).execute(&mut connections.write);
            insert.await.unwrap();
        }
    }
}
