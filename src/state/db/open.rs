//! Opening the database: the version of SQLite, the pragmas, the migrations.
//!
//! Every way in which a file can be wrong ends here, in one sentence for the person who starts the
//! service.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::Duration;

use libsqlite3_sys as ffi;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::config::Durability;
use crate::state::db::checkpoint;
use crate::state::db::lock::Lock;
use crate::state::db::open_files::OpenFiles;
use crate::state::db::search_pool::SearchPool;

/// 3.51.3: before it, two connections that checkpoint at once can lose a commit.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Marks the file as ours ("VNOM").
const APPLICATION_ID: i32 = 0x564E_4F4D;
/// How long a write waits for another program's transaction.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Links to a database that are followed, one to the next: as many as the kernel follows.
const MOST_LINKS: usize = 40;
/// Connections that read what is quickly found.
const READERS: u32 = 4;

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Why the database could not be opened: one sentence for the person who starts the service.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error(
        "SQLite {found} is too old: 3.51.3 or newer is needed, older versions can lose commits"
    )]
    OldSqlite { found: String },
    #[error("cannot create the folder {}: {source}", path.display())]
    Folder {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("cannot write {}: {source}; the database's folder must be writable", path.display())]
    Lock {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is in use by another venom process; one process owns a database at a time", path.display())]
    InUse { path: PathBuf },
    #[error(
        "{} is in use by another venom process, which knows the file by another name (a hard link) or has lost its \
         lock file; name the database as that process does, or try again in a moment", path.display()
    )]
    OtherName { path: PathBuf },
    #[error(
        "{} is not the file that the running service has open: it was replaced or removed while the service runs. \
         Put the file back that was there, or save the service's tasks with `venom export`; then start the service \
         again", path.display()
    )]
    Replaced { path: PathBuf },
    #[error("{} is no Venom database: it holds other tables; choose another file with --database", path.display())]
    Foreign { path: PathBuf },
    #[error("{} was written by a newer version of venom (migration {migration}); install that version", path.display())]
    Newer { path: PathBuf, migration: i64 },
    #[error("the service that runs on {} is of an older version; start it again with this one", path.display())]
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

/// An opened, migrated database.
pub(crate) struct Connections {
    pub(crate) write: SqliteConnection,
    pub(crate) read: SqlitePool,
    pub(crate) searches: SearchPool,
    /// How a further connection that may write is opened.
    pub(crate) options: SqliteConnectOptions,
    /// How one that only reads is opened.
    pub(crate) read_options: SqliteConnectOptions,
    pub(crate) files: OpenFiles,
    pub(crate) lock: Lock,
}

/// Opens the database at `path`, creating it as needed.
pub(crate) async fn open(path: &Path, durability: Durability) -> Result<Connections, OpenError> {
    let options = write_options(path, durability);
    let (mut write, lock) = lay_out(path, &options).await?;
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let files = OpenFiles::of(path).map_err(|error| sqlite(sqlx::Error::Io(error)))?;
    files.guard(&mut write).await.map_err(sqlite)?;
    // All of them are opened now and stay: one that is opened later would read whatever file is there by then.
    let read = SqlitePoolOptions::new()
        .max_connections(READERS)
        .min_connections(READERS)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(read_options(path))
        .await
        .map_err(sqlite)?;
    Ok(Connections {
        write,
        read,
        searches: SearchPool::new(read_options(path), Some(files.clone())),
        options,
        read_options: read_options(path),
        files,
        lock,
    })
}

/// Opens the database at `path` for a moment, while no service runs on it, creating it as needed.
pub(crate) async fn open_alone(path: &Path) -> Result<(SqliteConnection, Lock), OpenError> {
    lay_out(path, &write_options(path, Durability::Full)).await
}

/// Opens the database at `path` beside the service that owns it; `None` if it has no such table (yet).
pub(crate) async fn open_beside(
    path: &Path,
    table: &str,
) -> Result<Option<SqliteConnection>, OpenError> {
    check_version()?;
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let options = write_options(path, Durability::Full).create_if_missing(false);
    let mut conn = options.connect().await.map_err(sqlite)?;
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = ?1")
        .bind(table)
        .fetch_one(&mut conn)
        .await
        .map_err(sqlite)?;
    Ok((tables > 0).then_some(conn))
}

/// Opens a database of ours that is there, to read it. Needs no [`Lock`]; changes nothing in it.
pub(crate) async fn open_to_read(path: &Path) -> Result<SqliteConnection, OpenError> {
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let mut conn = read_options(path).connect().await.map_err(sqlite)?;
    if !is_ours(&mut conn, path).await? {
        let reason = "it is empty".to_owned();
        let path = path.to_owned();
        return Err(OpenError::Sqlite { path, reason });
    }
    let newest: i64 = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations")
        .fetch_one(&mut conn)
        .await
        .map_err(sqlite)?;
    match MIGRATIONS.version_exists(newest) {
        true => Ok(conn),
        false => Err(OpenError::Newer {
            path: path.to_owned(),
            migration: newest,
        }),
    }
}

/// Opens a database that is there, to write; nothing is migrated. The caller has its [`Lock`].
pub(crate) async fn open_to_write(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = write_options(path, Durability::Full).create_if_missing(false);
    let opened = options.connect().await;
    opened.map_err(|error| OpenError::sqlite(path, &error))
}

/// Opens a copy that is nobody's database yet, and brings its schema up to date. It stays one file.
pub(crate) async fn open_to_upgrade(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut conn = open_to_write(path).await?;
    migrate(&mut conn, path).await?;
    Ok(conn)
}

/// The file itself where `path` is a link to it, also if it is not there yet: two names of one database
/// have one lock.
pub(crate) fn behind_links(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(target) = std::fs::read_link(&path) else {
            break;
        };
        path = match path.parent() {
            Some(folder) => folder.join(target),
            None => target,
        };
    }
    path
}

/// Makes an empty file, if there is none, that its owner alone can read: SQLite gives what it puts beside
/// it the same mode.
fn create(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.append(true);
    match open_own(&behind_links(path), options) {
        Ok(_) => Ok(()),
        // SQLite has more to say about it.
        Err(_) if path.exists() => Ok(()),
        Err(source) => Err(OpenError::Sqlite {
            path: path.to_owned(),
            reason: source.to_string(),
        }),
    }
}

/// Opens a file beside the database, or makes it, for its owner alone. It is no link: in a folder of another user
/// one could lead anywhere.
#[cfg(unix)]
pub(crate) fn open_own(path: &Path, mut options: OpenOptions) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    options.mode(0o600).custom_flags(no_link);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            give_to_owner_of_folder(&file, path);
            Ok(file)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => options.open(path),
        Err(error) => Err(error),
    }
}

#[cfg(not(unix))]
pub(crate) fn open_own(path: &Path, mut options: OpenOptions) -> std::io::Result<File> {
    options.create(true).open(path)
}

/// Lets the service's own user have what a service of root's has made in the folder that is that user's. Whoever is
/// not root keeps it, and needs no more.
#[cfg(unix)]
fn give_to_owner_of_folder(file: &File, path: &Path) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let absolute = std::path::absolute(path).unwrap_or_default();
    let folder = absolute.parent().and_then(|folder| folder.metadata().ok());
    if let Some(folder) = folder {
        let _ = fchown(file, Some(folder.uid()), Some(folder.gid()));
    }
}

/// Takes the lock, creates what is missing, and brings the schema up to date.
async fn lay_out(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<(SqliteConnection, Lock), OpenError> {
    check_version()?;
    if let Some(folder) = behind_links(path)
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder).map_err(|source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        })?;
    }
    let mut lock = Lock::take(path)?;
    create(path)?;
    lock.take_database(path)?;
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let mut write = options.connect().await.map_err(sqlite)?;
    if !is_ours(&mut write, path).await? {
        take_over(&mut write).await.map_err(sqlite)?;
    }
    // A backup is one file, and so without a write-ahead log.
    let log = sqlx::query("PRAGMA journal_mode = WAL");
    log.execute(&mut write).await.map_err(sqlite)?;
    migrate(&mut write, path).await?;
    Ok((write, lock))
}

/// The SQLite that is built in.
pub(crate) fn sqlite_version() -> String {
    // SAFETY: it takes nothing and gives a constant of the linked library.
    #[expect(unsafe_code, reason = "the version is only told by the C library")]
    let name = unsafe { std::ffi::CStr::from_ptr(ffi::sqlite3_libversion()) };
    name.to_string_lossy().into_owned()
}

/// Refuses a SQLite that is too old.
///
/// # Errors
/// When the one that is built in is.
pub(crate) fn check_version() -> Result<(), OpenError> {
    // SAFETY: it takes nothing and gives a constant of the linked library.
    #[expect(unsafe_code, reason = "the version is only told by the C library")]
    let number = unsafe { ffi::sqlite3_libversion_number() };
    if number < OLDEST_SQLITE {
        let found = sqlite_version();
        return Err(OpenError::OldSqlite { found });
    }
    Ok(())
}

fn write_options(path: &Path, durability: Durability) -> SqliteConnectOptions {
    common_options(path)
        .create_if_missing(true)
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        })
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", checkpoint::WRITER_PAGES)
        .pragma("journal_size_limit", "67108864")
        .thread_name(|_| "venom-writer".to_owned())
}

fn read_options(path: &Path) -> SqliteConnectOptions {
    common_options(path)
        .read_only(true)
        .pragma("cache_size", "-2048")
        .thread_name(|id| format!("venom-reader-{id}"))
}

fn common_options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("temp_store", "memory")
        .disable_statement_logging()
}

/// Whether the database is one already; refuses one of another program, which is left as it is.
async fn is_ours(conn: &mut SqliteConnection, path: &Path) -> Result<bool, OpenError> {
    let broken = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let owner: i32 = sqlx::query_scalar("PRAGMA application_id")
        .fetch_one(&mut *conn)
        .await
        .map_err(broken)?;
    if owner == APPLICATION_ID {
        return Ok(true);
    }
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&mut *conn)
        .await
        .map_err(broken)?;
    if tables > 0 {
        return Err(OpenError::Foreign {
            path: path.to_owned(),
        });
    }
    Ok(false)
}

/// Makes an empty file ours. All of it is kept in the file.
async fn take_over(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // The first lets deleted rows give their space back later, and must come first.
    let marks = format!(
        "PRAGMA auto_vacuum = INCREMENTAL;
         PRAGMA journal_mode = WAL;
         PRAGMA application_id = {APPLICATION_ID}"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(marks))
        .execute(conn)
        .await?;
    Ok(())
}

async fn migrate(conn: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    MIGRATIONS.run(conn).await.map_err(|error| match error {
        MigrateError::VersionMissing(migration) => OpenError::Newer {
            path: path.to_owned(),
            migration,
        },
        other => OpenError::Sqlite {
            path: path.to_owned(),
            reason: other.to_string(),
        },
    })
}

pub(crate) fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(database) => database.message().to_owned(),
        other => other.to_string(),
    }
}
