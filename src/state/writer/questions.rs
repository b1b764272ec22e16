//! Questions to the Writer that it answers from memory, also while the storage keeps it waiting.
//!
//! A question is answered at the end of the turn that takes it, when everything that was handed in before is in the
//! answer. A turn may have to wait: for another program's write lock, or for a disk that does not answer. Then
//! the Writer answers meanwhile ([`while_answering`]), from what is committed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::models::{QueueStatus, Timestamp};
use crate::state::db::health::StorageHealth;
use crate::state::db::meta;
use crate::state::db::tx;
use crate::state::dispatch::explain::{ExplainedTask, Explanation, ProcessorStatus};
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::state::writer::commit;
use crate::state::writer::message::Reply;
use crate::state::writer::run::Writer;

/// How long a write keeps questions waiting.
const PATIENCE: Duration = Duration::from_millis(100);
/// What a probe writes, so that a full disk is found full.
const PROBE_BYTES: usize = 64 * 1024;
/// Where in `meta`, for a moment.
const PROBE: &str = "storage_probe";

/// Something that the Writer knows without a look at the database.
pub(crate) enum Question {
    Status(Reply<QueueStatus>),
    /// The condition of every processor.
    Processors(Reply<HashMap<String, ProcessorStatus>>),
    /// Why a waiting task does not start.
    Explain(ExplainedTask, Reply<Explanation>),
}

impl Question {
    /// Who has gone away does not want the answer.
    fn answer(self, queue_state: &QueueState) {
        match self {
            Self::Status(reply) => drop(reply.send(Ok(queue_state.status()))),
            Self::Processors(reply) => {
                drop(reply.send(Ok(queue_state.processors(Timestamp::now()))))
            }
            Self::Explain(asked, reply) => {
                drop(reply.send(Ok(queue_state.explain(&asked, Timestamp::now()))));
            }
        }
    }
}

/// Questions that came, and those that are taken and wait for the end of the turn.
pub(crate) struct Questions {
    pub(crate) inbox: mpsc::Receiver<Question>,
    pub(crate) taken: Vec<Question>,
}

impl Questions {
    pub(crate) fn new(inbox: mpsc::Receiver<Question>) -> Self {
        let taken = Vec::new();
        Self { inbox, taken }
    }

    /// Waits for the next ones.
    pub(crate) async fn arrive(&mut self) {
        let limit = self.inbox.max_capacity();
        self.inbox.recv_many(&mut self.taken, limit).await;
    }

    /// Takes those that are there.
    pub(crate) fn take_waiting(&mut self) {
        while let Ok(question) = self.inbox.try_recv() {
            self.taken.push(question);
        }
    }

    pub(crate) fn answer(&mut self, queue_state: &QueueState) {
        for question in self.taken.drain(..) {
            question.answer(queue_state);
        }
    }
}

/// Waits for a write to end, and answers questions meanwhile if it takes long.
pub(crate) async fn while_answering<T>(
    questions: &mut Questions,
    queue_state: &QueueState,
    health: &StorageHealth,
    write: impl Future<Output = T>,
) -> T {
    let _writing = health.write();
    tokio::pin!(write);
    if let Ok(written) = timeout(PATIENCE, &mut write).await {
        return written;
    }
    loop {
        questions.take_waiting();
        questions.answer(queue_state);
        tokio::select! {
            written = &mut write => return written,
            () = questions.arrive(), if !questions.inbox.is_closed() => {}
        }
    }
}

impl Writer {
    /// Begins a transaction, which may have to wait for another program's. [`Writer::end`] it, whatever happens.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        let begin = tx::begin(&mut self.conn);
        let begun =
            while_answering(&mut self.questions, &self.queue_state, &self.health, begin).await;
        self.note_storage(begun)
    }

    /// Commits what is `done`, or rolls back what was not.
    pub(crate) async fn end<T>(&mut self, done: Result<T, Error>) -> Result<T, Error> {
        let end = tx::end(&mut self.conn, done);
        let ended =
            while_answering(&mut self.questions, &self.queue_state, &self.health, end).await;
        let ended = self.note_storage(ended);
        if ended.is_ok() {
            self.writing_works();
        }
        ended
    }

    fn note_storage<T>(&mut self, written: Result<T, Error>) -> Result<T, Error> {
        if let Err(error @ Error::Unavailable(_)) = &written {
            self.note_failure(error);
        }
        written
    }

    /// Finds out whether the storage takes writes again, although nobody writes.
    pub(crate) async fn probe(&mut self) -> Result<(), Error> {
        let text = format!("\"{}\"", "0".repeat(PROBE_BYTES));
        self.begin().await?;
        let written = meta::set(&mut self.conn, PROBE, &text).await;
        self.end(written).await?;
        self.begin().await?;
        let deleted = commit::delete_meta(&mut self.conn, PROBE).await;
        self.end(deleted).await
    }
}
