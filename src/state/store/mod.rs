//! The handle to the state. Its verbs that change something are messages to the Writer; everything else is a query
//! on the read pool.

pub(super) mod bulk;
mod operate;
mod read;
mod run;
mod submit;
mod tokens;

use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use crate::events::Bus;
use crate::models::Timestamp;
use crate::state::db::health::StorageHealth;
use crate::state::db::search_pool::SearchPool;
use crate::state::error::Error;
use crate::state::query::counts::LastCount;
use crate::state::stats::Stats;
use crate::state::writer::batch::AttemptReport;
use crate::state::writer::completion_waiters::CompletionWaiters;
use crate::state::writer::message::{WriterCommand, WriterMessage};
use crate::state::writer::questions::WriterQuestion;
use crate::state::writer::reply::{LaterReply, Reply};

/// Unit of the memory for submissions that wait for the Writer.
pub(crate) const PERMIT_BYTES: usize = 1024;

/// The handle to the state; clone it freely.
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
    /// The actor in whose name it acts; `None` is anonymous.
    pub(crate) actor: Option<Arc<str>>,
    pub(crate) stats: Stats,
    pub(crate) last_count: LastCount,
    /// The time of the newest journal row when the service started.
    pub(crate) newest_at_start: Option<Timestamp>,
    pub(crate) health: StorageHealth,
}

impl StateManager {
    /// Writes what has arrived and closes the database. Every later call gets [`Error::Stopping`].
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

    /// Sends a command to the Writer, in the name of this handle's actor, and waits for the answer.
    pub(crate) async fn ask<C: WriterCommand>(&self, command: C) -> Result<C::Answer, Error> {
        let (message, answer) = WriterMessage::command(command, self.actor.clone());
        self.send(message).await?;
        answered(answer).await
    }

    /// Sends a command that goes on after its first turn, and waits until it is done.
    pub(crate) async fn ask_and_wait<C, T>(&self, command: C) -> Result<T, Error>
    where
        C: WriterCommand<Answer = LaterReply<T>>,
    {
        answered(self.ask(command).await?).await
    }

    async fn send(&self, message: WriterMessage) -> Result<(), Error> {
        let sent = self.messages.send(message).await;
        sent.map_err(|_| Error::Stopping)
    }

    /// Asks a question that the Writer answers from memory, also while it waits for the storage.
    pub(crate) async fn question<T>(
        &self,
        question: impl FnOnce(Reply<T>) -> WriterQuestion,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.questions.send(question(reply)).await;
        sent.map_err(|_| Error::Stopping)?;
        answered(answer).await
    }

    /// The same handle in the name of this actor, whom the journal records with each change.
    #[must_use]
    pub(crate) fn as_actor(&self, actor: Option<Arc<str>>) -> Self {
        let mut handle = self.clone();
        handle.actor = actor;
        handle
    }

    /// The actor of this handle.
    pub(crate) fn actor(&self) -> Option<Arc<str>> {
        self.actor.clone()
    }

    /// The condition of the storage.
    pub(crate) fn health(&self) -> &StorageHealth {
        &self.health
    }

    /// The bus on which events are published.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }
}

/// The answer of the Writer; [`Error::Stopping`] if it ends without one.
async fn answered<T>(answer: LaterReply<T>) -> Result<T, Error> {
    answer.await.unwrap_or(Err(Error::Stopping))
}
