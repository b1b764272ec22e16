//! The checkpointer: copies the write-ahead log (WAL) into the database beside the Writer.
//!
//! The log starts again from its beginning when all of it is copied, which under steady load never happens by itself. So
//! once the log is [`long`], the checkpointer copies it pass by pass, each shorter than the one before, until the rest is
//! [`SHORT`]. That rest the Writer copies between two commits. When the database is idle, the log is emptied.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::state::db::vfs::disk::checkpoint_pages;

/// Pages in the log from which on it is copied: 64 MiB.
const LONG: u32 = 16_384;
/// Pages that the Writer copies itself: 2 MiB.
const SHORT: u32 = 512;
/// Pages at which the Writer copies all of it, because the checkpointer does not keep up: 256 MiB.
const TOO_LONG: u32 = 65_536;
/// Pages after which the Writer tries again to copy the rest, if readers have kept it from that.
const UNTIL_NEXT_TRY: u32 = 2048;

/// Idle time after which the log is emptied.
const QUIET: Duration = Duration::from_secs(60);
/// Time that a checkpoint waits for readers. A concurrent commit waits as long.
const READER_PATIENCE: Duration = Duration::from_millis(100);

/// Returns the pages in the log from which on it is copied.
pub(crate) fn long() -> u32 {
    checkpoint_pages(LONG)
}

/// The running checkpointer, and how far it has come with the present log.
pub(crate) struct Checkpointer {
    stop: CancellationToken,
    task: JoinHandle<()>,
    passes: Arc<Passes>,
    /// Pages from which on the log is copied.
    long: u32,
    /// Pages in the log at which the next pass is worth it.
    next_at: u32,
}

/// What the Writer and the checkpointer tell each other.
#[derive(Default)]
struct Passes {
    asked: Notify,
    is_running: AtomicBool,
    /// Pages of the log that are copied.
    copied: AtomicU32,
}

/// What the Writer is to do about the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RestOfLog {
    /// Nothing: it is short, or the checkpointer works on it.
    Leave,
    /// Copy what is left of it before the next commit.
    Copy,
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
        let passes = Arc::<Passes>::default();
        let task = tokio::spawn(run(conn, head, Arc::clone(&passes), stop.clone()));
        Ok(Self {
            stop,
            task,
            passes,
            long: long(),
            next_at: 0,
        })
    }

    /// Says what to do about a log of so many pages, after a commit. Asks the checkpointer for a pass when it is time.
    pub(crate) fn after_commit(&mut self, pages: u32) -> RestOfLog {
        let Passes {
            asked,
            is_running,
            copied,
        } = &*self.passes;
        if pages < self.long {
            // It has started again from its beginning.
            copied.store(0, Ordering::Relaxed);
            self.next_at = self.long;
            return RestOfLog::Leave;
        }
        if is_running.load(Ordering::Acquire) {
            return RestOfLog::Leave;
        }
        let copied = copied.load(Ordering::Relaxed);
        if pages >= self.next_at && (pages >= TOO_LONG || pages.saturating_sub(copied) <= SHORT) {
            self.next_at = pages + UNTIL_NEXT_TRY;
            return RestOfLog::Copy;
        }
        if pages >= self.next_at {
            self.next_at = pages + SHORT / 2;
            is_running.store(true, Ordering::Relaxed);
            asked.notify_one();
        }
        RestOfLog::Leave
    }

    /// Stops it after the running checkpoint.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

async fn run(
    mut conn: SqliteConnection,
    head: watch::Receiver<i64>,
    passes: Arc<Passes>,
    stop: CancellationToken,
) {
    let mut seen = *head.borrow();
    loop {
        let is_asked = tokio::select! {
            () = stop.cancelled() => break,
            () = passes.asked.notified() => true,
            () = tokio::time::sleep(QUIET) => false,
        };
        let newest = *head.borrow();
        let is_quiet = !is_asked && newest == seen;
        seen = newest;
        if !is_asked && !is_quiet {
            continue;
        }
        match checkpoint(&mut conn, is_quiet).await {
            Ok(copied) => passes.copied.store(copied, Ordering::Relaxed),
            // The Writer meets the same failure and reports it.
            Err(error) => tracing::debug!(%error, "a checkpoint failed"),
        }
        passes.is_running.store(false, Ordering::Release);
    }
    let _ = conn.close().await;
}

/// Copies what can be copied, and returns how many pages of the log are copied. With `empties`, then empties the log if
/// it holds pages.
///
/// An empty log is not emptied again: to the Writer that would look like a write of another program, and it would
/// recount all pending tasks.
async fn checkpoint(conn: &mut SqliteConnection, empties: bool) -> Result<u32, sqlx::Error> {
    let answer = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
        .fetch_one(&mut *conn)
        .await?;
    let (pages, copied): (i64, i64) = (answer.try_get(1)?, answer.try_get(2)?);
    if empties && pages > 0 {
        let empty = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)");
        empty.execute(conn).await?;
    }
    Ok(u32::try_from(copied).unwrap_or(0))
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

    #[tokio::test]
    async fn the_checkpointer_copies_a_long_log_and_the_writer_a_short_rest() {
        let folder = tempfile::tempdir().unwrap();
        let options = SqliteConnectOptions::new()
            .filename(folder.path().join("venom.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal);
        let (_sender, head) = watch::channel(0);
        let mut checkpointer = Checkpointer::start(options, head).await.unwrap();
        let pass_ended = async |checkpointer: &Checkpointer| {
            while checkpointer.passes.is_running.load(Ordering::Acquire) {
                tokio::task::yield_now().await;
            }
        };
        assert_eq!(checkpointer.after_commit(LONG - 1), RestOfLog::Leave);
        assert!(!checkpointer.passes.is_running.load(Ordering::Acquire));
        assert_eq!(checkpointer.after_commit(LONG), RestOfLog::Leave);
        pass_ended(&checkpointer).await;

        // A reader kept the pass from copying anything.
        assert_eq!(checkpointer.after_commit(LONG + SHORT), RestOfLog::Leave);
        pass_ended(&checkpointer).await;
        checkpointer
            .passes
            .copied
            .store(LONG + SHORT, Ordering::Relaxed);
        assert_eq!(checkpointer.after_commit(LONG + 2 * SHORT), RestOfLog::Copy);
        assert_eq!(
            checkpointer.after_commit(LONG + 2 * SHORT + 1),
            RestOfLog::Leave
        );

        // The log has started again, and nobody keeps up with it.
        assert_eq!(checkpointer.after_commit(1), RestOfLog::Leave);
        assert_eq!(checkpointer.after_commit(TOO_LONG), RestOfLog::Copy);
        checkpointer.stop().await;
    }
}
