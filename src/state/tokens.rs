//! The SQL of tokens, and the way to them for a command beside the service.
//!
//! The service reads them again and again, so a change by another process holds within about a second.

use std::path::Path;
use std::time::Duration;

use sqlx::{Connection, SqliteConnection, SqliteExecutor};
use tokio::time::{Instant, sleep};

use super::connect::{self, Lock, OpenError};
use super::text::Text;
use super::{Error, StateManager};
use crate::models::{Grant, Role, Timestamp, Token, TokenHash};
use crate::state::request::Order;

/// How long the owner of a new database may take to lay it out.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The tokens of a database, whether a service runs on it or not.
pub struct TokenStore {
    conn: SqliteConnection,
    /// Held if no service runs: none can start on a half-made database.
    _lock: Option<Lock>,
}

impl TokenStore {
    /// Opens the tokens of the database at `path`, creating it as needed.
    ///
    /// # Errors
    /// One sentence for a person: also when the service that runs on it is too old to know tokens.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let patience = Instant::now() + PATIENCE;
        loop {
            match connect::open_alone(path).await {
                Ok((conn, lock)) => {
                    let _lock = Some(lock);
                    return Ok(Self { conn, _lock });
                }
                Err(OpenError::InUse { .. }) => {}
                Err(error) => return Err(error),
            }
            let conn = connect::open_beside(path, "tokens").await;
            match conn {
                Ok(Some(conn)) => return Ok(Self { conn, _lock: None }),
                Err(error) if Instant::now() > patience => return Err(error),
                Ok(None) if Instant::now() > patience => {
                    let path = path.to_owned();
                    return Err(OpenError::Older { path });
                }
                // The service has only just begun to make it.
                Ok(None) | Err(_) => sleep(BETWEEN_LOOKS).await,
            }
        }
    }

    /// Stores a token; false if there is or was one of its name.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn create(&mut self, grant: &Grant, hash: &TokenHash) -> Result<bool, Error> {
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

    /// Every token that was ever made, by name.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn list(&mut self) -> Result<Vec<Token>, Error> {
        let rows = sqlx::query!(
            r#"SELECT name AS "name!: Text", role AS "role!: Text", processors AS "processors: Text",
                      created_at AS "created_at!: Text", revoked_at AS "revoked_at: Text",
                      last_used_at AS "last_used_at: Text"
                 FROM tokens ORDER BY name"#
        )
        .fetch_all(&mut self.conn)
        .await?;
        rows.into_iter()
            .map(|row| {
                let grant = grant(&row.name, &row.role, row.processors.as_deref())?;
                Ok(Token {
                    name: row.name.into(),
                    role: grant.role,
                    processors: grant.processors,
                    created_at: row.created_at.into(),
                    revoked_at: row.revoked_at.map(String::from),
                    last_used_at: row.last_used_at.map(String::from),
                })
            })
            .collect()
    }

    /// Makes a token worthless; false if there is no valid one of this name.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn revoke(&mut self, name: &str) -> Result<bool, Error> {
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

impl StateManager {
    /// The tokens that are worth something.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn valid_tokens(&self) -> Result<Vec<(TokenHash, Grant)>, Error> {
        valid(&self.read).await
    }

    /// Notes that these tokens were used at about this moment.
    ///
    /// # Errors
    /// When it could not be stored.
    pub async fn tokens_used(&self, names: Vec<String>) -> Result<(), Error> {
        self.ask(|reply| Order::TokensUsed(names, reply)).await
    }
}

/// How many tokens of the database at `path` are worth something; of one that is not there, none.
///
/// # Errors
/// When it is no database of ours or cannot be read.
pub async fn count_tokens(path: &Path) -> Result<u64, OpenError> {
    if !path.exists() {
        return Ok(0);
    }
    let mut conn = connect::open_to_read(path).await?;
    let counted = count(&mut conn).await;
    let _ = conn.close().await;
    counted.map_err(|error| OpenError::sqlite(path, &error))
}

/// An older database has no such table yet.
async fn count(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'tokens'";
    let tables: u64 = sqlx::query_scalar(tables).fetch_one(&mut *conn).await?;
    if tables == 0 {
        return Ok(0);
    }
    let valid = "SELECT count(*) FROM tokens WHERE revoked_at IS NULL";
    sqlx::query_scalar(valid).fetch_one(conn).await
}

async fn valid(conn: impl SqliteExecutor<'_>) -> Result<Vec<(TokenHash, Grant)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT name AS "name!: Text", hash AS "hash!", role AS "role!: Text",
                  processors AS "processors: Text"
             FROM tokens WHERE revoked_at IS NULL"#
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let wrong = |_| Error::BadRow("tokens.hash: expected 32 bytes".to_owned());
            let hash = TokenHash::try_from(&row.hash[..]).map_err(wrong)?;
            Ok((
                hash,
                grant(&row.name, &row.role, row.processors.as_deref())?,
            ))
        })
        .collect()
}

/// Notes when these tokens were used last.
pub(super) async fn note_use(conn: &mut SqliteConnection, names: &[String]) -> Result<(), Error> {
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

fn grant(name: &str, role: &str, processors: Option<&str>) -> Result<Grant, Error> {
    let role: Role = role
        .parse()
        .map_err(|error| Error::BadRow(format!("tokens.role: {error}")))?;
    Ok(Grant {
        name: name.into(),
        role,
        processors: processors.map(serde_json::from_str).transpose()?,
    })
}
