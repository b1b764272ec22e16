//! Runs one transaction, from `BEGIN` to its journal rows, and notes whether the storage takes writes.
//!
//! The order is the same everywhere: commit, apply to the queue state, publish, answer. [`Core::transact`]
//! does the first step and returns what the others need; [`Core::publish`] is called once the queue state follows.
//!
//! Every storage error passes [`Core::note_error`], which alone tells a damaged database from a storage
//! that takes no writes at this moment. Once the database is known as damaged, no transaction begins.

use sqlx::SqliteConnection;

use crate::models::Timestamp;
use crate::state::db::{meta, tx};
use crate::state::error::Error;
use crate::state::journal::append::append;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::core::Core;
use crate::state::writer::publish::Committed;
use crate::state::writer::questions::while_answering;
use crate::state::writer::reply::Reply;

/// Bytes that a probe writes, so that a full disk is found full.
const PROBE_BYTES: usize = 64 * 1024;
/// Key in `meta` that a probe writes and deletes.
const PROBE: &str = "storage_probe";

impl Core {
    /// Runs `work` and appends the journal entries that it returns, in one transaction. The caller applies the
    /// result to the queue state and then publishes [`Committed`].
    ///
    /// # Errors
    /// When it could not be committed; then nothing has changed.
    pub(crate) async fn transact<T>(
        &mut self,
        time: Timestamp,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<(T, Vec<JournalEntry>), Error>,
    ) -> Result<(T, Committed), Error> {
        self.transact_unjournaled(async |conn| {
            let (done, rows) = work(&mut *conn).await?;
            let first_event = append(conn, &rows, time).await?;
            let committed = Committed {
                first_event,
                rows,
                time,
            };
            Ok((done, committed))
        })
        .await
    }

    /// Runs `work` in one transaction. Its changes cause no event.
    ///
    /// # Errors
    /// When it could not be committed; then nothing has changed.
    pub(crate) async fn transact_unjournaled<T>(
        &mut self,
        work: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.begin().await?;
        let done = match self.db.statements.refresh_triggers() {
            Ok(()) => work(&mut self.db.conn).await,
            Err(failure) => Err(failure.into()),
        };
        self.end(done).await
    }

    /// Writes one journal entry, and publishes it.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn journal(&mut self, entry: JournalEntry) -> Result<(), Error> {
        let entries = vec![entry];
        let written = self.transact(Timestamp::now(), async |_| Ok(((), entries)));
        let ((), committed) = written.await?;
        self.publish(committed).await;
        Ok(())
    }

    /// Runs a single statement, which is a transaction by itself.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn execute<T>(
        &mut self,
        statement: impl AsyncFnOnce(&mut SqliteConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.refuse_if_unwritable()?;
        self.db.statements.refresh_triggers()?;
        let write = statement(&mut self.db.conn);
        let written =
            while_answering(&mut self.questions, &self.queue, &self.db.health, write).await;
        if written.is_ok() {
            self.outbox.after_sync.committed();
        }
        written
    }

    /// Waits for another program's transaction, if there is one.
    async fn begin(&mut self) -> Result<(), Error> {
        if let Err(refused) = self.refuse_if_unwritable() {
            return self.note_result(Err(refused));
        }
        let begin = tx::begin(&mut self.db.conn);
        let begun = while_answering(&mut self.questions, &self.queue, &self.db.health, begin).await;
        self.note_result(begun)
    }

    /// Commits what is `done`, or rolls back what was not.
    async fn end<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        let end = tx::end(&mut self.db.conn, done);
        let ended = while_answering(&mut self.questions, &self.queue, &self.db.health, end).await;
        let ended = self.note_result(ended);
        if ended.is_ok() {
            self.outbox.after_sync.committed();
            self.writing_works();
        }
        ended
    }

    /// Refuses a write once the database is known as damaged, with the answer of a service that stops, and while
    /// earlier commits cannot be synced.
    pub(crate) fn refuse_if_unwritable(&self) -> Result<(), Error> {
        if self.db.fatal.is_some() {
            return Err(Error::Stopping);
        }
        match self.outbox.after_sync.failure() {
            Some(reason) => Err(Error::Unavailable(format!(
                "the disk does not confirm what was written: {reason}"
            ))),
            None => Ok(()),
        }
    }

    fn note_result<T>(&mut self, written: Result<T, Error>) -> Result<T, Error> {
        match &written {
            Err(error @ Error::Unavailable(_)) => self.note_failure(error),
            Err(error) => self.note_error(error),
            Ok(_) => {}
        }
        written
    }

    /// Remembers the error with which the process must stop, if this is one: the database is damaged.
    pub(crate) fn note_error(&mut self, error: &Error) {
        if let Error::Corrupt(_) = error {
            self.db.fatal.get_or_insert_with(|| error.clone());
        }
    }

    /// Notes that a write failed. The log says so once, until writing works again.
    pub(crate) fn note_failure(&mut self, error: &Error) {
        self.note_error(error);
        if self.db.fatal.is_some() {
            return;
        }
        self.db.health.failed(error);
        if std::mem::replace(&mut self.db.failing, true) {
            tracing::debug!(%error, "write failed again");
        } else {
            tracing::warn!(%error, "write failed; retrying");
        }
    }

    /// Notes that a write was stored.
    pub(crate) fn writing_works(&mut self) {
        if std::mem::take(&mut self.db.failing) {
            self.db.health.succeeded();
            tracing::info!("writes succeed again");
        }
    }

    /// Sends the answer to a message, once what it says is on disk, and notes its error.
    pub(crate) fn answer<T: Send + 'static>(&mut self, reply: Reply<T>, answer: Result<T, Error>) {
        if let Err(error) = &answer {
            self.note_error(error);
            if let Error::Unavailable(_) | Error::Corrupt(_) | Error::Stopping = error {
                // It says nothing of a commit, and a sync may not come.
                let _ = reply.send(answer);
                return;
            }
        }
        self.outbox.after_sync.deliver(move || {
            // A client that is gone does not want the answer.
            let _ = reply.send(answer);
        });
    }

    /// Writes a value and deletes it, to find out whether the storage takes writes again.
    ///
    /// # Errors
    /// When it does not.
    pub(crate) async fn probe(&mut self) -> Result<(), Error> {
        let text = format!("\"{}\"", "0".repeat(PROBE_BYTES));
        self.transact_unjournaled(async |conn| meta::set(conn, PROBE, &text).await)
            .await?;
        self.transact_unjournaled(async |conn| meta::delete(conn, PROBE).await)
            .await
    }
}
