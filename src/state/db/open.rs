//! Opens the database: checks the version of SQLite, takes the lock, sets the pragmas, runs the migrations.
//!
//! Every problem with a file becomes an [`OpenError`], one sentence for the person who starts the service.

use std::fs::OpenOptions;
use std::path::Path;
use std::time::Duration;

use libsqlite3_sys as ffi;
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqliteConnection};

use crate::config::Durability;
use crate::state::db::checkpoint;
use crate::state::db::files::{behind_links, open_own};
use crate::state::db::lock::Lock;
use crate::state::db::open_error::OpenError;
use crate::state::db::open_files::OpenFiles;
use crate::state::db::search_pool::SearchPool;
use crate::state::db::triggers;
use crate::state::db::vfs;
use crate::state::db::vfs::log_sync::LogSync;

/// 3.51.3. In older versions, two concurrent checkpoints can lose a commit.
const OLDEST_SQLITE: i32 = 3_051_003;
/// Marks the file as ours ("VNOM").
const APPLICATION_ID: i32 = 0x564E_4F4D;
/// Time that a write waits for the transaction of another program.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Connections for quick reads.
const READERS: u32 = 4;

pub(crate) static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// An opened, migrated database.
pub(crate) struct Connections {
    pub(crate) write: SqliteConnection,
    pub(crate) read: SqlitePool,
    pub(crate) searches: SearchPool,
    /// Options for a further connection that writes.
    pub(crate) options: SqliteConnectOptions,
    /// Options for a further connection that only reads.
    pub(crate) read_options: SqliteConnectOptions,
    pub(crate) files: OpenFiles,
    /// Makes the commits of `write` durable; `None` if they need not be.
    pub(crate) log_sync: Option<LogSync>,
    pub(crate) lock: Lock,
}

/// Opens the database at `path`, and creates it if needed.
pub(crate) async fn open(path: &Path, durability: Durability) -> Result<Connections, OpenError> {
    let options = write_options(path, durability);
    let (mut write, lock) = lay_out(path, &options).await?;
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let files = OpenFiles::of(path).map_err(|error| sqlite(sqlx::Error::Io(error)))?;
    files.guard(&mut write).await.map_err(sqlite)?;
    triggers::replace(&mut write).await.map_err(sqlite)?;
    let log_sync = match durability {
        Durability::Full => {
            Some(LogSync::open(path).map_err(|error| sqlite(sqlx::Error::Io(error)))?)
        }
        Durability::Normal => None,
    };
    // All of them are opened at once and stay open: one that is opened later might open another file.
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
        log_sync,
        lock,
    })
}

/// Opens the database at `path` for a command while no service runs on it, and creates it if needed.
pub(crate) async fn open_alone(path: &Path) -> Result<(SqliteConnection, Lock), OpenError> {
    lay_out(path, &write_options(path, Durability::Full)).await
}

/// Opens the database at `path` beside the service that owns it; `None` if it does not have the table `table`.
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

/// Opens an existing Venom database to read it. Needs no [`Lock`].
pub(crate) async fn open_to_read(path: &Path) -> Result<SqliteConnection, OpenError> {
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let mut conn = read_options(path).connect().await.map_err(sqlite)?;
    if !is_ours(&mut conn, path).await? {
        let reason = "the file is empty".to_owned();
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

/// Opens an existing database to write, without migrations. The caller holds its [`Lock`].
pub(crate) async fn open_to_write(path: &Path) -> Result<SqliteConnection, OpenError> {
    let options = write_options(path, Durability::Full).create_if_missing(false);
    let opened = options.connect().await;
    opened.map_err(|error| OpenError::sqlite(path, &error))
}

/// Opens a copy that no service uses, and runs the migrations. It stays one file, without a write-ahead log.
pub(crate) async fn open_to_upgrade(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut conn = open_to_write(path).await?;
    migrate(&mut conn, path).await?;
    Ok(conn)
}

/// Creates an empty file that only its owner can read, if there is none. SQLite gives the files beside it the same
/// mode.
fn create(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.append(true);
    match open_own(&behind_links(path), options) {
        Ok(_) => Ok(()),
        // SQLite reports the reason.
        Err(_) if path.exists() => Ok(()),
        Err(source) => Err(OpenError::Sqlite {
            path: path.to_owned(),
            reason: source.to_string(),
        }),
    }
}

/// Takes the lock, creates the folder and the file if needed, and runs the migrations.
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
    // A restored backup is not in WAL mode.
    let log = sqlx::query("PRAGMA journal_mode = WAL");
    log.execute(&mut write).await.map_err(sqlite)?;
    migrate(&mut write, path).await?;
    Ok((write, lock))
}

/// Returns the version of the built-in SQLite.
pub(crate) fn sqlite_version() -> String {
    // SAFETY: the function takes no arguments and returns a constant of the linked library.
    #[expect(unsafe_code, reason = "only the C library knows its version")]
    let name = unsafe { std::ffi::CStr::from_ptr(ffi::sqlite3_libversion()) };
    name.to_string_lossy().into_owned()
}

/// Checks the version of the built-in SQLite.
///
/// # Errors
/// When it is too old.
pub(crate) fn check_version() -> Result<(), OpenError> {
    // SAFETY: the function takes no arguments and returns a constant of the linked library.
    #[expect(unsafe_code, reason = "only the C library knows its version")]
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
        // The Writer uses the handle beside sqlx (`db/raw`).
        .serialized(true)
        .vfs(vfs::register())
        .synchronous(match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        })
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", checkpoint::long().to_string())
        .pragma("journal_size_limit", "134217728")
        .thread_name(|_| "venom-sqlite".to_owned())
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

/// Returns whether the file is a Venom database; false for an empty one. Fails for a database of another program and
/// leaves it unchanged.
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

/// Marks an empty file as a Venom database. The marks are stored in the file.
async fn take_over(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    // `auto_vacuum` lets the file shrink later. It must be set before anything else.
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
