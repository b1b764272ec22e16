//! The tokens: their SQL, and the store that commands use beside a running service.
//!
//! The service reads the table every second, so a change by another process takes effect within about a second.

use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection, SqliteExecutor};
use tokio::time::{Instant, sleep};

use crate::models::{Grant, Role, Timestamp, Token, TokenHash};
use crate::state::db::lock::{Lock, check_in_place};
use crate::state::db::open;
use crate::state::db::open_error::OpenError;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Time that the owner of a new database has to create its tables.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The tokens of a database, whether a service runs on it or not.
pub(crate) struct TokenStore {
    conn: SqliteConnection,
    /// Held if no service runs, so that none can start on an incomplete database.
    _lock: Option<Lock>,
}

impl TokenStore {
    /// Opens the tokens of the database at `path`, and creates it if needed.
    ///
    /// # Errors
    /// When the database cannot be opened, or the service that runs on it is too old to know tokens.
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let patience = Instant::now() + PATIENCE;
        loop {
            match open::open_alone(path).await {
                Ok((conn, lock)) => {
                    let _lock = Some(lock);
                    return Ok(Self { conn, _lock });
                }
                Err(OpenError::InUse { .. }) => check_in_place(path)?,
                Err(error) => return Err(error),
            }
            let conn = open::open_beside(path, "tokens").await;
            match conn {
                Ok(Some(conn)) => return Ok(Self { conn, _lock: None }),
                Err(error) if Instant::now() > patience => return Err(error),
                Ok(None) if Instant::now() > patience => {
                    let path = path.to_owned();
                    return Err(OpenError::Older { path });
                }
                // The service is still creating it.
                Ok(None) | Err(_) => sleep(BETWEEN_LOOKS).await,
            }
        }
    }

    /// Stores a token. Returns false if its name is or was in use.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn create(&mut self, grant: &Grant, hash: &TokenHash) -> Result<bool, Error> {
        let (name, role, hash) = (&*grant.name, grant.role.as_str(), &hash[..]);
        let processors = grant.processors.as_ref();
        let processors = processors.map(serde_json::to_string).transpose()?;
        let now = Timestamp::now().to_string();
        let stored = sqlx::query!(
            "INSERT INTO tokens (name, hash, role, processors, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (name) DO NOTHING",
            name,
            hash,
            role,
            processors,
            now
        )
        .execute(&mut self.conn)
        .await?;
        Ok(stored.rows_affected() > 0)
    }

    /// Returns every token that was ever created, by name, and the problems of unreadable rows.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) async fn list(&mut self) -> Result<(Vec<Token>, Vec<String>), Error> {
        let rows = sqlx::query!(
            r#"SELECT name AS "name!: Text", role AS "role!: Text", processors AS "processors: Text",
                      created_at AS "created_at!: Text", revoked_at AS "revoked_at: Text",
                      last_used_at AS "last_used_at: Text"
                 FROM tokens ORDER BY name"#
        )
        .fetch_all(&mut self.conn)
        .await?;
        Ok(sorted(rows.into_iter().map(|row| {
            let grant = grant(&row.name, &row.role, row.processors.as_deref())?;
            Ok(Token {
                name: row.name.into(),
                role: grant.role,
                processors: grant.processors,
                created_at: row.created_at.into(),
                revoked_at: row.revoked_at.map(String::from),
                last_used_at: row.last_used_at.map(String::from),
            })
        })))
    }

    /// Revokes a token. Returns false if no valid token has this name.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn revoke(&mut self, name: &str) -> Result<bool, Error> {
        let now = Timestamp::now().to_string();
        let revoked = sqlx::query!(
            "UPDATE tokens SET revoked_at = ?1 WHERE name = ?2 AND revoked_at IS NULL",
            now,
            name
        )
        .execute(&mut self.conn)
        .await?;
        Ok(revoked.rows_affected() > 0)
    }
}

/// Returns the number of valid tokens in the database at `path`; 0 if there is no database.
///
/// # Errors
/// When it is not a Venom database or cannot be read.
pub(crate) async fn count_tokens(path: &Path) -> Result<u64, OpenError> {
    if !path.exists() {
        return Ok(0);
    }
    let mut conn = open::open_to_read(path).await?;
    let counted = count(&mut conn).await;
    let _ = conn.close().await;
    counted.map_err(|error| OpenError::sqlite(path, &error))
}

/// Counts the valid tokens; none in an older database, which has no such table.
async fn count(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'tokens'";
    let tables: u64 = sqlx::query_scalar(tables).fetch_one(&mut *conn).await?;
    if tables == 0 {
        return Ok(0);
    }
    let valid = "SELECT count(*) FROM tokens WHERE revoked_at IS NULL";
    sqlx::query_scalar(valid).fetch_one(conn).await
}

pub(crate) async fn valid(
    conn: impl SqliteExecutor<'_>,
) -> Result<(Vec<(TokenHash, Grant)>, Vec<String>), Error> {
    let rows = sqlx::query!(
        r#"SELECT name AS "name!: Text", hash AS "hash!", role AS "role!: Text",
                  processors AS "processors: Text"
             FROM tokens WHERE revoked_at IS NULL"#
    )
    .fetch_all(conn)
    .await?;
    Ok(sorted(rows.into_iter().map(|row| {
        let hash = TokenHash::try_from(&row.hash[..])
            .map_err(|_| format!("the token {:?}: hash: expected 32 bytes", &*row.name))?;
        let grant = grant(&row.name, &row.role, row.processors.as_deref())?;
        Ok((hash, grant))
    })))
}

/// Separates the readable rows from the problems of the others.
fn sorted<T>(rows: impl Iterator<Item = Result<T, String>>) -> (Vec<T>, Vec<String>) {
    let (mut read, mut wrong) = (Vec::new(), Vec::new());
    for row in rows {
        match row {
            Ok(row) => read.push(row),
            Err(why) => wrong.push(why),
        }
    }
    (read, wrong)
}

/// The tokens of a restored database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestoredTokens {
    /// Those of the replaced database, so that no revoked token becomes valid again.
    Kept,
    /// Those of the backup, because there was no database before, or one without tokens.
    OfBackup,
    /// Those of the backup, because the replaced database cannot be read.
    Unknown,
}

/// Copies the tokens of the present database into the restored one that will replace it.
///
/// # Errors
/// When the restored one cannot be written.
pub(crate) async fn keep_tokens(
    present: &Path,
    restored: &Path,
) -> Result<RestoredTokens, OpenError> {
    if !present.exists() {
        return Ok(RestoredTokens::OfBackup);
    }
    let tokens = match read_whole(present).await {
        Ok(tokens) if tokens.is_empty() => return Ok(RestoredTokens::OfBackup),
        Ok(tokens) => tokens,
        Err(_) => return Ok(RestoredTokens::Unknown),
    };
    let mut conn = open::open_to_upgrade(restored).await?;
    let replaced = replace(&mut conn, &tokens).await;
    let closed = conn.close().await;
    let done = replaced.and(closed);
    done.map_err(|error| OpenError::sqlite(restored, &error))?;
    Ok(RestoredTokens::Kept)
}

/// A row with all its columns, not checked.
type WholeRow = (
    String,
    Vec<u8>,
    String,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
);

async fn read_whole(path: &Path) -> Result<Vec<WholeRow>, OpenError> {
    let sqlite = |error: sqlx::Error| OpenError::sqlite(path, &error);
    let mut conn = open::open_to_read(path).await?;
    let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = 'tokens'");
    let tables: i64 = tables.fetch_one(&mut conn).await.map_err(sqlite)?;
    // An older version had no tokens.
    if tables == 0 {
        return Ok(Vec::new());
    }
    let rows = sqlx::query_as(
        "SELECT name, hash, role, processors, created_at, revoked_at, last_used_at FROM tokens",
    );
    rows.fetch_all(&mut conn).await.map_err(sqlite)
}

async fn replace(conn: &mut SqliteConnection, tokens: &[WholeRow]) -> Result<(), sqlx::Error> {
    let mut transaction = conn.begin().await?;
    sqlx::query("DELETE FROM tokens")
        .execute(&mut *transaction)
        .await?;
    for (name, hash, role, processors, created_at, revoked_at, last_used_at) in tokens {
        sqlx::query(
            "INSERT INTO tokens (name, hash, role, processors, created_at, revoked_at, last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .bind(name)
        .bind(hash)
        .bind(role)
        .bind(processors)
        .bind(created_at)
        .bind(revoked_at)
        .bind(last_used_at)
        .execute(&mut *transaction)
        .await?;
    }
    transaction.commit().await
}

/// Records that these tokens were used at this moment.
pub(crate) async fn note_use(conn: &mut SqliteConnection, names: &[String]) -> Result<(), Error> {
    let names = serde_json::to_string(names)?;
    let now = Timestamp::now().to_string();
    sqlx::query!(
        "UPDATE tokens SET last_used_at = ?1 WHERE name IN (SELECT value FROM json_each(?2))",
        now,
        names
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Returns what a row grants, or its problem.
fn grant(name: &str, role: &str, processors: Option<&str>) -> Result<Grant, String> {
    let role: Role = role
        .parse()
        .map_err(|error| format!("the token {name:?}: role: {error}"))?;
    let processors = processors.map(serde_json::from_str).transpose();
    let processors = processors.map_err(|_| {
        format!("the token {name:?}: processors: expected a JSON list of names, or NULL")
    })?;
    Ok(Grant {
        name: name.into(),
        role,
        processors,
    })
}
