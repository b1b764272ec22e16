//! A transaction of several statements that ends as SQLite says, also when the storage fails.
//!
//! On a full disk or an I/O error SQLite rolls back by itself. The rollback of sqlx's own
//! `Transaction` is refused then, and sqlx goes on believing that it is open: it refuses the next
//! one, and all after it, until a restart. So the statements are sent by hand.

use sqlx::SqliteConnection;

use crate::state::error::Error;

/// Begins a transaction that may write. [`end`] it, whatever happens.
pub(crate) async fn begin(conn: &mut SqliteConnection) -> Result<(), Error> {
    sqlx::query("BEGIN IMMEDIATE").execute(conn).await?;
    Ok(())
}

/// Commits what is `done`, or rolls back what was not; either way no transaction is open after it.
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
        // Refused if SQLite has rolled back by itself, which is as good.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }
    ended
}
