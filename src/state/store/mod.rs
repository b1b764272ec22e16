//! The handle to the state. What changes something is a message to the Writer, everything else is a query
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
use crate::state::writer::batch::Report;
use crate::state::writer::completion_waiters::CompletionWaiters;
use crate::state::writer::message::{Command, Message};
use crate::state::writer::questions::Question;
use crate::state::writer::reply::{LaterReply, Reply};

/// Unit in which the memory of waiting submissions is counted.
pub(crate) const PERMIT_BYTES: usize = 1024;

/// The handle to the state; clone it freely.
#[derive(Clone)]
pub(crate) struct StateManager {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) questions: mpsc::Sender<Question>,
    /// Kibibytes that submissions may still take while they wait for the Writer.
    pub(crate) inbox: Arc<Semaphore>,
    pub(crate) read: SqlitePool,
    pub(crate) searches: SearchPool,
    pub(crate) bus: Bus,
    pub(crate) waiters: CompletionWaiters,
    pub(crate) waiting_ended: Arc<Notify>,
    /// In whose name it asks; `None` is nobody in particular.
    pub(crate) by: Option<Arc<str>>,
    pub(crate) stats: Stats,
    pub(crate) last_count: LastCount,
    /// The latest time that the journal knew of when the service started.
    pub(crate) newest_at_start: Option<Timestamp>,
    pub(crate) health: StorageHealth,
}

impl StateManager {
    /// Writes what has arrived and closes the database. Whoever asks for more gets
    /// [`Error::Stopping`].
    ///
    /// # Errors
    /// When the WAL could not be copied back; the data is safe in it all the same.
    pub(crate) async fn close(&self) -> Result<(), Error> {
        self.searches.close().await;
        self.read.close().await;
        let (reply, answer) = oneshot::channel();
        self.send(Message::Close(reply)).await?;
        answered(answer).await
    }

    /// Sends a command to the Writer, in the name of this handle's actor, and waits for the answer.
    pub(crate) async fn ask<C: Command>(&self, command: C) -> Result<C::Answer, Error> {
        let (message, answer) = Message::command(command, self.by.clone());
        self.send(message).await?;
        answered(answer).await
    }

    /// Sends a command that goes on after its first turn, and waits until it is done.
    pub(crate) async fn ask_and_wait<C, T>(&self, command: C) -> Result<T, Error>
    where
        C: Command<Answer = LaterReply<T>>,
    {
        answered(self.ask(command).await?).await
    }

    async fn send(&self, message: Message) -> Result<(), Error> {
        let sent = self.messages.send(message).await;
        sent.map_err(|_| Error::Stopping)
    }

    /// Asks what the Writer knows, which it answers also while the storage keeps it waiting.
    pub(crate) async fn question<T>(
        &self,
        question: impl FnOnce(Reply<T>) -> Question,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        let sent = self.questions.send(question(reply)).await;
        sent.map_err(|_| Error::Stopping)?;
        answered(answer).await
    }

    /// The same handle, asking in somebody's name: the journal has it with what is done.
    #[must_use]
    pub(crate) fn in_name_of(&self, by: Option<Arc<str>>) -> Self {
        let mut handle = self.clone();
        handle.by = by;
        handle
    }

    /// In whose name this handle asks, if it is somebody in particular.
    pub(crate) fn asks_for(&self) -> Option<Arc<str>> {
        self.by.clone()
    }

    /// What is wrong with the storage, if something is.
    pub(crate) fn health(&self) -> &StorageHealth {
        &self.health
    }

    /// Where commits are announced.
    pub(crate) fn bus(&self) -> &Bus {
        &self.bus
    }
}

/// The answer of the Writer; [`Error::Stopping`] if it ends without one.
async fn answered<T>(answer: LaterReply<T>) -> Result<T, Error> {
    answer.await.unwrap_or(Err(Error::Stopping))
}
