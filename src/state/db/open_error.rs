//! The reasons why a database cannot be opened, as sentences for the person who starts the service.

use std::path::{Path, PathBuf};

/// The reasons why the database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(
        "SQLite {found} is too old, because it can lose commits; install a venom that is built with 3.51.3 or newer"
    )]
    OldSqlite { found: String },
    #[error("cannot create the folder {}: {source}", path.display())]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}: {source}; make the folder of the database writable", path.display())]
    Lock {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is in use by another venom process; stop that process or choose another file with --database", path.display())]
    InUse { path: PathBuf },
    #[error(
        "{} is in use by another venom process under another name (a hard link), or that process has lost its lock \
         file; use the same path as that process, or try again in a moment", path.display()
    )]
    OtherName { path: PathBuf },
    #[error(
        "{} is not the file that the running service has open: it was replaced or removed while the service was \
         running. Put the original file back, or save the tasks with `venom export`; then restart the service",
        path.display()
    )]
    Replaced { path: PathBuf },
    #[error("{} is not a Venom database: it has tables of another program; choose another file with --database", path.display())]
    Foreign { path: PathBuf },
    #[error("{} was written by a newer version of venom (migration {migration}); install that version or restore an older backup", path.display())]
    Newer { path: PathBuf, migration: i64 },
    #[error("the service that runs on {} is an older version of venom; restart it with this version", path.display())]
    Older { path: PathBuf },
    #[error("cannot open {}: {reason}", path.display())]
    Sqlite { path: PathBuf, reason: String },
    #[error("cannot write {}: {reason}", path.display())]
    Copy { path: PathBuf, reason: String },
}

impl OpenError {
    pub(crate) fn sqlite(path: &Path, error: &sqlx::Error) -> Self {
        Self::Sqlite {
            path: path.to_owned(),
            reason: reason(error),
        }
    }
}

/// Returns the message of SQLite, without the prefix of sqlx.
pub(crate) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    }
}
