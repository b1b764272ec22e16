//! Whole copies of a database file, also beside a service that runs on it.

use std::path::Path;

use sqlx::Connection;

use super::connect::{self, OpenError};

/// Writes the database at `source`, as it is at one moment, into the empty file `target`: one file,
/// without free pages and without a write-ahead log. What others write meanwhile is not in it.
///
/// The target is not synced.
///
/// # Errors
/// When the source is no database of ours, or one of the two files cannot be read or written.
pub async fn copy(source: &Path, target: &Path) -> Result<(), OpenError> {
    let mut conn = connect::open_to_read(source).await?;
    let Some(name) = target.to_str() else {
        return Err(OpenError::Sqlite {
            path: target.to_owned(),
            reason: "its name is no UTF-8 text".to_owned(),
        });
    };
    let copied = sqlx::query("VACUUM INTO ?").bind(name).execute(&mut conn);
    let copied = copied.await;
    let _ = conn.close().await;
    match copied {
        Ok(_) => Ok(()),
        Err(error) => Err(OpenError::sqlite(source, &error)),
    }
}

/// Brings what stands in the write-ahead log into the database file, so that the file by itself is the
/// whole. The caller has the database's [`Lock`](super::Lock).
///
/// # Errors
/// When it cannot be read or written, as a damaged one.
pub async fn fold(path: &Path) -> Result<(), OpenError> {
    let mut conn = connect::open_to_write(path).await?;
    let folded = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
    let folded = folded.fetch_one(&mut conn).await;
    let closed = conn.close().await;
    let done = folded.and(closed);
    done.map_err(|error| OpenError::sqlite(path, &error))
}
