//! Handles storage failures and the close: probes, a lost file, the final checkpoint.

use std::time::Duration;

use sqlx::Row as _;
use tokio::time::Instant;

use crate::state::db::checkpoint::RestOfLog;
use crate::state::db::open_files::keep_log_at_close;
use crate::state::error::Error;
use crate::state::writer::batch::{AttemptReport, WriteBatch};
use crate::state::writer::core::Core;
use crate::state::writer::questions::while_answering;
use crate::state::writer::run::RETRY_PAUSE;

/// Pause between two probes while the storage takes no writes and nobody writes.
const PROBE_PAUSE: Duration = Duration::from_secs(1);

impl Core {
    /// Probes the storage that took no writes, unless something is written anyway.
    pub(crate) async fn probe_if_failing(&mut self, batch: &WriteBatch) {
        if !self.db.failing || !batch.is_empty() || Instant::now() < self.db.next_probe {
            return;
        }
        // What fails is noted where it fails.
        let _ = self.probe().await;
        self.db.next_probe = Instant::now() + PROBE_PAUSE;
    }

    /// Waits until a commit may follow the one that waits for its sync.
    pub(crate) async fn wait_for_room(&mut self) {
        self.outbox.after_sync.begin_sync();
        let room = self.outbox.after_sync.has_room();
        while_answering(&mut self.questions, &self.queue, &self.db.health, room).await;
    }

    /// Copies the rest of a long log into the database, when the checkpointer has left little of it. Then the log
    /// starts again from its beginning.
    pub(crate) async fn checkpoint_if_due(&mut self) {
        if self.outbox.after_sync.failure().is_some() {
            // The database must not get ahead of a log that may not be on disk.
            return;
        }
        let pages = self.db.statements.log_pages();
        let checkpointer = self.db.checkpointer.as_mut();
        let rest = checkpointer.map_or(RestOfLog::Leave, |it| it.after_commit(pages));
        if rest == RestOfLog::Leave {
            return;
        }
        let copy = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut self.db.conn);
        let copied = while_answering(&mut self.questions, &self.queue, &self.db.health, copy).await;
        if let Err(error) = copied {
            // The next write meets the same failure and reports it.
            tracing::debug!(%error, "a checkpoint failed");
        }
    }

    /// Makes durable what a failed sync has left open: the log is written again, from what the system still has of it,
    /// and synced. A second sync alone proves nothing, because after a failure the system may have dropped what it could
    /// not write.
    pub(crate) async fn sync_again_if_failed(&mut self) {
        let Some(reason) = self.outbox.after_sync.failure() else {
            return;
        };
        if Instant::now() < self.db.next_sync {
            return;
        }
        self.note_failure(&Error::Unavailable(reason));
        if let Err(error) = self.rewrite_log().await {
            tracing::debug!(%error, "the log cannot be written again");
        }
        self.db.next_sync = Instant::now() + RETRY_PAUSE;
    }

    /// Writes the log again while no other program can write to it.
    async fn rewrite_log(&mut self) -> Result<(), Error> {
        if !self.db.statements.begin()? {
            return Ok(());
        }
        let rewritten = self.outbox.after_sync.rewrite_log();
        let rewritten =
            while_answering(&mut self.questions, &self.queue, &self.db.health, rewritten).await;
        self.db.statements.roll_back();
        rewritten.map_err(|error| Error::Unavailable(error.to_string()))?;
        self.outbox.after_sync.retry();
        Ok(())
    }

    /// Stores the last reports and closes the database, with the WAL copied back into it.
    ///
    /// # Errors
    /// When the WAL could not be copied back; the data is safe in it all the same.
    pub(crate) async fn close(&mut self, reports: Vec<AttemptReport>) -> Result<(), Error> {
        self.outbox.after_sync.begin_sync();
        self.outbox.after_sync.drained().await;
        self.db.next_sync = Instant::now();
        self.sync_again_if_failed().await;
        let submissions = Vec::new();
        self.process_batch(WriteBatch {
            submissions,
            reports,
        })
        .await;
        if let Some(fatal) = &self.db.fatal {
            return Err(fatal.clone());
        }
        self.outbox.after_sync.begin_sync();
        self.outbox.after_sync.drained().await;
        if !self.held.reports.is_empty() {
            tracing::error!(
                reports = self.held.reports.len(),
                "outcomes could not be stored; their tasks run again at the next start"
            );
        }
        if let Err(error) = self.store_stats().await {
            tracing::warn!(%error, "the counts for the charts were not stored; the next start counts again");
        }
        self.recount.close().await;
        if let Some(checkpointer) = self.db.checkpointer.take() {
            checkpointer.stop().await;
        }
        self.db.is_folded = false;
        self.fold_if_lost().await;
        if let Some(lost) = self.db.health.lost_file() {
            return Err(Error::Unavailable(lost.what()));
        }
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
            .execute(&mut self.db.conn)
            .await?;
        Ok(())
    }

    /// Once a file of the database is lost, copies the WAL back into the open file, which is then whole by itself,
    /// wherever it stands by now. A WAL that is still at its path is empty after that: it would damage a
    /// file that was put in the database's place.
    pub(crate) async fn fold_if_lost(&mut self) {
        if self.db.health.lost_file().is_none() {
            self.db.is_folded = false;
            return;
        }
        if self.db.is_folded {
            return;
        }
        let conn = &mut self.db.conn;
        let folded = async {
            keep_log_at_close(conn).await?;
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)")
                .fetch_one(conn)
                .await
        };
        match folded.await {
            // 1 says that somebody still reads.
            Ok(answer) => self.db.is_folded = answer.get::<i64, _>(0) == 0,
            Err(error) => {
                tracing::warn!(%error, "cannot copy the write-ahead log back; retrying");
            }
        }
    }
}
