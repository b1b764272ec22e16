//! Copies the WAL back into the database beside the Writer, so that a commit seldom has to.
//!
//! A checkpoint of its own connection does not hold up commits. Under a steady load it never quite
//! catches up, so that the WAL would grow for ever: at [`WRITER_PAGES`] a commit of the Writer's does
//! what is left, which is little, and the WAL starts again from its beginning.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Pages in the WAL at which a commit makes a checkpoint itself: 32 MiB.
pub(super) const WRITER_PAGES: &str = "8192";
/// Journal rows after which a checkpoint is worth its syncs: a few MiB of WAL.
const ROWS: i64 = 8192;

/// The running checkpointer.
pub(super) struct Checkpointer {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts one for the database that `options` open; `head` is the newest journal row.
    pub async fn start(
        options: SqliteConnectOptions,
        head: watch::Receiver<i64>,
    ) -> Result<Self, sqlx::Error> {
        let conn = options
            .thread_name(|_| "venom-checkpoint".to_owned())
            .connect()
            .await?;
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(conn, head, stop.clone()));
        Ok(Self { stop, task })
    }

    /// Ends it, after the checkpoint that is under way.
    pub async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn run(mut conn: SqliteConnection, mut head: watch::Receiver<i64>, stop: CancellationToken) {
    let mut done = *head.borrow();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            grown = head.wait_for(|head| *head >= done + ROWS) => match grown {
                Ok(head) => done = *head,
                Err(_) => break,
            },
        }
        let checkpoint = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)");
        if let Err(error) = checkpoint.execute(&mut conn).await {
            // The Writer meets the same trouble and says so where it matters.
            tracing::debug!(%error, "a checkpoint failed");
        }
    }
    let _ = conn.close().await;
}
