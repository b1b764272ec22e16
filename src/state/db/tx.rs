//! Begins and ends transactions by explicit statements, so that they end correctly even when the storage fails.
//!
//! On a full disk or an I/O error SQLite rolls back by itself. It then refuses the rollback of sqlx's `Transaction`,
//! and sqlx considers the transaction open: it refuses every later one until a restart.

use sqlx::SqliteConnection;

use crate::state::error::Error;

/// Begins a transaction that may write. The caller must call [`end`] in any case.
pub(crate) async fn begin(conn: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(conn).await?;
    Ok(())
}

/// Commits if `done` is `Ok`, otherwise rolls back. No transaction is open afterwards.
pub(crate) async fn end<T>(
    conn: &mut SqliteConnection,
    done: Result<T, Error>,
) -> Result<T, Error> {
    let ended = match done {
        Ok(done) => {
            let committed = sqlx::query("COMMIT").execute(&mut *conn).await;
            committed.map(|_| done).map_err(Error::from)
        }
        Err(error) => Err(error),
    };
    if ended.is_err() {
        // SQLite refuses this if it has rolled back by itself.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }
    ended
}
