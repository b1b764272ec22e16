//! Work that the Writer does while it has nothing else to do: the full-text index and the counts for the charts.

use tokio::time::Instant;

use crate::state::error::Error;
use crate::state::writer::core::Core;

impl Core {
    /// When the next of these is due, if one is.
    pub(crate) fn spare_work_due(&self) -> Option<Instant> {
        let index = self.index.due(self.outbox.head);
        index.into_iter().chain(self.stats.due()).min()
    }

    /// Indexes a chunk, if it is due.
    pub(crate) async fn index_if_due(&mut self) {
        let begun = Instant::now();
        let due = self.index.due(self.outbox.head);
        if due.is_none_or(|due| due > begun) {
            return;
        }
        if let Err(error) = self.index_chunk(begun).await {
            self.note_error(&error);
            tracing::debug!(%error, "the full-text index waits");
            self.index.put_off(begun);
        }
    }

    async fn index_chunk(&mut self, begun: Instant) -> Result<(), Error> {
        let chunk = self.index.next_chunk(&mut self.db.conn).await?;
        if !chunk.is_empty() {
            self.transact_unjournaled(async |conn| chunk.write(conn).await)
                .await?;
        }
        self.index.written(&chunk, begun);
        Ok(())
    }

    /// Stores the counts that have changed, if it is time.
    pub(crate) async fn store_stats_if_due(&mut self) {
        if self.stats.due().is_none_or(|due| due > Instant::now()) {
            return;
        }
        if let Err(error) = self.store_stats().await {
            tracing::debug!(%error, "the counts for the charts wait");
            self.stats.store_later();
        }
    }

    /// Stores the counts that have changed, with everything that was committed until here.
    pub(crate) async fn store_stats(&mut self) -> Result<(), Error> {
        let head = self.outbox.head;
        if let Some(counts) = self.stats.unstored(head)? {
            self.transact_unjournaled(async |conn| counts.write(conn).await)
                .await?;
        }
        self.stats.stored(head);
        Ok(())
    }
}
