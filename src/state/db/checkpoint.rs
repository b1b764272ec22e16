//! The checkpointer: copies the write-ahead log (WAL) into the database, so that commits seldom have to.
//!
//! A checkpoint on a connection of its own does not delay commits. Under steady load it never catches up completely,
//! and the WAL would grow without end. So at [`WRITER_PAGES`] the Writer copies the rest between two commits, which is
//! little, and the WAL starts again from its beginning. When the database is idle, the WAL is emptied.

use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Pages in the WAL at which the Writer runs a checkpoint itself: 32 MiB.
pub(crate) const WRITER_PAGES: u32 = 8192;
/// Journal rows between two checkpoints: a few MiB of WAL, which is worth the syncs.
const ROWS: i64 = 8192;

/// Idle time after which the WAL is emptied.
const QUIET: Duration = Duration::from_secs(60);
/// Time that a checkpoint waits for readers. A concurrent commit waits as long.
const READER_PATIENCE: Duration = Duration::from_millis(100);

/// The running checkpointer.
pub(crate) struct Checkpointer {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts a checkpointer for the database that `options` open; `head` is the newest journal row.
    pub(crate) async fn start(
        options: SqliteConnectOptions,
        head: watch::Receiver<i64>,
    ) -> Result<Self, sqlx::Error> {
        let conn = options
            .busy_timeout(READER_PATIENCE)
            .thread_name(|_| "venom-checkpoint".to_owned())
            .connect()
            .await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(conn, head, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Stops it after the running checkpoint.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn run(mut conn: SqliteConnection, mut head: watch::Receiver<i64>, stop: CancellationToken) {
    let mut done = *head.borrow();
    let mut seen = done;
    loop {
        let grown = tokio::select! {
            () = stop.cancelled() => break,
            grown = head.wait_for(|head| *head >= done + ROWS) => match grown {
                Ok(head) => Some(*head),
                Err(_) => break,
            },
            () = tokio::time::sleep(QUIET) => None,
        };
        let newest = *head.borrow();
        let is_quiet = std::mem::replace(&mut seen, newest) == newest;
        done = grown.unwrap_or(done);
        if grown.is_none() && !is_quiet {
            continue;
        }
        if let Err(error) = checkpoint(&mut conn, is_quiet).await {
            // The Writer meets the same failure and reports it.
            tracing::debug!(%error, "a checkpoint failed");
        }
    }
    let _ = conn.close().await;
}

/// Copies what can be copied. With `empties`, then empties the WAL if it holds pages.
///
/// An empty WAL is not emptied again: to the Writer that would look like a write of another program, and it would
/// recount all pending tasks.
async fn checkpoint(conn: &mut SqliteConnection, empties: bool) -> Result<(), sqlx::Error> {
    let answer = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(&mut *conn)
        .await?;
    let pages: i64 = answer.try_get(1)?;
    if empties && pages > 0 {
        let empty = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        empty.execute(conn).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sqlx::sqlite::SqliteJournalMode;

    use super::*;

    /// A number that changes when another connection has written.
    async fn version(conn: &mut SqliteConnection) -> i64 {
        let version = sqlx::query_scalar("PRAGMA data_version");
        version.fetch_one(conn).await.unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_database_gives_the_disk_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let mut writer = options.connect().await.unwrap();
        for sql in [
            "CREATE TABLE t (x)",
            "INSERT INTO t VALUES (zeroblob(1000000))",
            "DELETE FROM t",
            "VACUUM",
        ] {
            sqlx::query(sql).execute(&mut writer).await.unwrap();
        }
        let wal = path.with_extension("db-wal");
        assert!(std::fs::metadata(&wal).unwrap().len() > 1_000_000);
        let (_sender, head) = watch::channel(7);
        let start = || Checkpointer::start(options.clone(), head.clone());
        let checkpointer = start().await.unwrap();
        tokio::time::sleep(3 * QUIET).await;
        checkpointer.stop().await;
        assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
        assert!(std::fs::metadata(&path).unwrap().len() < 100_000);

        let before = version(&mut writer).await;
        let checkpointer = start().await.unwrap();
        tokio::time::sleep(3 * QUIET).await;
        checkpointer.stop().await;
        assert_eq!(version(&mut writer).await, before);
    }
}
