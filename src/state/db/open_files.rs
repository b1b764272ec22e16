//! Whether the files that SQLite has open still stand at the database's path.
//!
//! SQLite keeps its descriptors. When somebody replaces or removes the file under a running service, the service
//! would go on with a file that nobody finds again, and everything that it accepts would be lost at its end. So
//! the Writer's connection asks before every commit ([`OpenFiles::guard`]): a commit whose files are gone is
//! rolled back, and its clients get a 503. A look is three calls of `stat`, a few microseconds.
//!
//! Nothing here opens a database file: to close any descriptor of it takes away all POSIX locks that SQLite
//! has on it in this process.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libsqlite3_sys as ffi;
use sqlx::SqliteConnection;

use crate::state::db::files::beside;

/// What SQLite keeps of a database in WAL mode: the file itself, the log, and the log's index.
const ENDINGS: [&str; 3] = ["", "-wal", "-shm"];
/// What a client hears instead of an answer.
pub(crate) const REFUSAL: &str = "its files were replaced or removed while the service runs, so what it accepted \
     now would be lost; `venom doctor` names the file and what to do";

/// A file as the file system knows it, whatever its name.
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
    /// Whether the log has the error already.
    is_logged: AtomicBool,
}

/// What stands at a path instead of the open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instead {
    Nothing,
    AnotherFile,
}

/// A file that is open and no longer at its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LostFile {
    path: PathBuf,
    instead: Instead,
    /// Whether it is the database itself. The other two hold nothing that the Writer cannot copy back.
    is_database: bool,
}

impl LostFile {
    /// What happened, as a sentence without a full stop.
    pub(crate) fn what(&self) -> String {
        self.happened_to(&self.path)
    }

    /// The same without the folder, for clients.
    pub(crate) fn what_briefly(&self) -> String {
        let name = Path::new(self.path.file_name().unwrap_or_default());
        format!("the database file {}", self.happened_to(name))
    }

    fn happened_to(&self, path: &Path) -> String {
        let path = path.display();
        match self.instead {
            Instead::Nothing => format!("{path} was removed while the service runs"),
            Instead::AnotherFile => {
                format!("{path} was replaced by another file while the service runs")
            }
        }
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match self.is_database {
            true => {
                "put the file back that was there, or save the tasks with `venom export`; then start the service \
                 again. `venom restore` puts a backup in the place of a database"
            }
            false => "start the service again; what it has accepted is in the database",
        }
    }
}

impl OpenFiles {
    /// Remembers the files of the database at `path`, which SQLite has just opened in WAL mode.
    pub(crate) fn of(path: &Path) -> io::Result<Self> {
        // A later change of the working directory or of a link leads nowhere else.
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

    /// The database itself.
    pub(crate) fn database(&self) -> FileId {
        self.0.files[0].1
    }

    /// The first of the files that is no longer at its path. The log has it once.
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
            // The load alone is the usual case, and cheaper than the swap.
            None if is_logged.load(Ordering::Relaxed)
                && is_logged.swap(false, Ordering::Relaxed) =>
            {
                tracing::info!(
                    "the database's files are back in their place; tasks are accepted again"
                );
            }
            Some(lost) if !is_logged.swap(true, Ordering::Relaxed) => tracing::error!(
                "{}; nothing more is accepted, because it would be lost: {}",
                lost.what(),
                lost.advice()
            ),
            _ => {}
        }
    }

    /// From now on the connection commits nothing while a file is lost.
    pub(crate) async fn guard(&self, conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        let files = self.clone();
        let mut handle = conn.lock_handle().await?;
        handle.set_commit_hook(move || files.lost().is_none());
        Ok(())
    }
}

/// What stands at `path` instead of the file; `None` if it is the file, or nobody can tell.
fn instead_of(path: &Path, id: FileId) -> Option<Instead> {
    match fs::metadata(path) {
        Ok(file) if FileId::of(&file) == id => None,
        Ok(_) => Some(Instead::AnotherFile),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Some(Instead::Nothing)
        }
        // A folder that may not be read for a moment says nothing about the file.
        Err(_) => None,
    }
}

/// Leaves the files at the log's path alone when the connection closes: they may be another database's. SQLite
/// removes them by name.
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
