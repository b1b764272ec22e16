//! Detects commits by other programs and starts a recount of the pending tasks.

use tokio::time::Instant;

use crate::models::TaskId;
use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::recount::Count;

impl Core {
    /// Begins a count of the pending tasks if another program has committed something.
    pub(crate) async fn look_outside(&mut self) {
        if self.recount.may_begin()
            && let Err(error) = self.count_if_changed().await
        {
            self.note_unreadable(&error);
        }
    }

    async fn count_if_changed(&mut self) -> Result<(), Error> {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut self.db.conn)
            .await?;
        // A count may open a connection, which must not find another file.
        if version != self.db.data_version && self.db.health.lost_file().is_none() {
            self.recount.begin(version, self.queue.blocked).await?;
            self.queue.lanes.start_noting();
        }
        Ok(())
    }

    /// Takes over a count that has ended: the queue state becomes what was counted, with what the Writer has
    /// changed since.
    pub(crate) async fn take_count(&mut self) {
        let Some(count) = self.recount.take_if_ended().await else {
            return;
        };
        let begun = count.begun;
        if let Err(error) = self.apply_count(count).await {
            self.note_unreadable(&error);
        }
        self.recount.rest_since(begun);
    }

    async fn apply_count(&mut self, count: Count) -> Result<(), Error> {
        match count.ended {
            Some(Ok(counted)) => {
                self.queue.lanes.replace(counted.lanes);
                if (self.clock.times_forgotten).is_some_and(|time| time >= count.begun) {
                    self.queue.lanes.forget_times();
                }
                let blocked = counted.blocked + self.queue.blocked;
                self.queue.blocked = blocked.saturating_sub(count.blocked);
                self.db.data_version = count.version;
                self.take_foreign_changes(counted.missing).await
            }
            Some(Err(error)) => {
                self.queue.lanes.stop_noting();
                Err(error)
            }
            None => Ok(()),
        }
    }

    async fn take_foreign_changes(&mut self, missing: Vec<TaskId>) -> Result<(), Error> {
        self.publish_outside().await?;
        if Instant::now() >= self.importing_until {
            self.fail_missing(missing).await?;
        }
        Ok(())
    }

    fn note_unreadable(&mut self, error: &Error) {
        self.note_error(error);
        tracing::debug!(%error, "the database cannot be read");
    }
}
