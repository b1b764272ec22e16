//! [`StateManager`]: the handle to the state. Methods that change something send a message to the Writer; all others
//! query the read pool.

pub(super) mod bulk;
mod operate;
pub(super) mod overview;
mod read;
mod run;
mod submit;
mod tokens;

use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::events::Bus;
use crate::models::Timestamp;
use crate::state::db::health::StorageHealth;
use crate::state::db::search_pool::SearchPool;
use crate::state::error::Error;
use crate::state::stats::Stats;
use crate::state::store::overview::LastCount;
use crate::state::writer::batch::AttemptReport;
use crate::state::writer::completion_waiters::CompletionWaiters;
use crate::state::writer::message::{WriterCommand, WriterMessage};
use crate::state::writer::questions::WriterQuestion;
use crate::state::writer::reply::{LaterReply, Reply};

/// Unit of the memory for submissions that wait for the Writer.
pub(crate) const PERMIT_BYTES: usize = 1024;

/// The handle to the state. Clones are cheap and share everything but the actor.
#[derive(Clone)]
pub(crate) struct StateManager {
    pub(crate) messages: mpsc::Sender<WriterMessage>,
    pub(crate) reports: mpsc::Sender<AttemptReport>,
    pub(crate) questions: mpsc::Sender<WriterQuestion>,
    /// Kibibytes of memory that are left for submissions that wait for the Writer.
    pub(crate) inbox: Arc<Semaphore>,
    pub(crate) read: SqlitePool,
    pub(crate) searches: SearchPool,
    pub(crate) bus: Bus,
    pub(crate) waiters: CompletionWaiters,
    pub(crate) waiting_ended: Arc<Notify>,
    /// The actor of each change; `None` if anonymous.
    pub(crate) actor: Option<Arc<str>>,
    pub(crate) stats: Stats,
    pub(crate) last_count: LastCount,
    /// The time of the newest journal row when the service started.
    pub(crate) newest_at_start: Option<Timestamp>,
    pub(crate) health: StorageHealth,
}

impl StateManager {
    /// Writes everything that has arrived and closes the database. Every later call gets [`Error::Stopping`].
    ///
    /// # Errors
    /// When the WAL could not be copied back; the data is safe in it all the same.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.searches.close().await;
        self.read.close().await;
        let (reply, answer) = oneshot::channel();
        self.send(WriterMessage::Close(reply)).await?;
        answered(answer).await
    }

    /// Sends a command of this handle's actor to the Writer and returns the answer.
    pub(crate) async fn ask<C: WriterCommand>(&self, command: C) -> Result<C::Answer, Error> {
        let (message, answer) = WriterMessage::command(command, self.actor.clone());
        self.send(message).await?;
        answered(answer).await
    }

    /// Sends a command that takes several turns of the Writer, and returns its answer at the end.
    pub(crate) async fn ask_and_wait<C, T>(&self, command: C) -> Result<T, Error>
    where
        C: WriterCommand<Answer = LaterReply<T>>,
    {
        answered(self.ask(command).await?).await
    }

    /// Sends a command to the Writer and returns its answer after a sleep of the same duration, so that background
    /// loops take at most half of the Writer's time.
    pub(crate) async fn ask_and_rest<C: WriterCommand>(
        &self,
        command: C,
    ) -> Result<C::Answer, Error> {
        let begun = Instant::now();
        let answer = self.ask(command).await?;
        tokio::time::sleep(begun.elapsed()).await;
        Ok(answer)
    }

    async fn send(&self, message: WriterMessage) -> Result<(), Error> {
        let sent = self.messages.send(message).await;
        sent.map_err(|_| Error::Stopping)
    }

    /// Sends a question and returns the answer. The Writer answers from memory, also while it waits for the storage.
    pub(crate) async fn question<T>(
        &self,
        question: impl FnOnce(Reply<T>) -> WriterQuestion,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.questions.send(question(reply)).await;
        sent.map_err(|_| Error::Stopping)?;
        answered(answer).await
    }

    /// Returns a handle for this actor. The journal records the actor with each change.
    #[must_use]
    pub(crate) fn as_actor(&self, actor: Option<Arc<str>>) -> Self {
        let mut handle = self.clone();
        handle.actor = actor;
        handle
    }

    /// Returns the actor of this handle.
    pub(crate) fn actor(&self) -> Option<Arc<str>> {
        self.actor.clone()
    }

    /// Returns the health of the storage.
    pub(crate) fn health(&self) -> &StorageHealth {
        &self.health
    }

    /// Returns the bus on which the Writer publishes events.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }
}

/// Waits for the Writer's answer; [`Error::Stopping`] if the Writer ends without one.
async fn answered<T>(answer: LaterReply<T>) -> Result<T, Error> {
    answer.await.unwrap_or(Err(Error::Stopping))
}
