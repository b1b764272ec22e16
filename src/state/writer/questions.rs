//! Questions that the Writer answers from memory, also while it waits for the storage.
//!
//! The Writer answers a question at the end of the turn that takes it, so that the answer covers everything that was
//! sent before. A turn may have to wait: for another program's write lock, or for a disk that does not answer. Then
//! the Writer answers meanwhile ([`while_answering`]), from what is committed.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::models::{QueueStatus, Timestamp};
use crate::state::db::health::StorageHealth;
use crate::state::dispatch::explain::{ExplainedTask, Explanation, ProcessorStatus};
use crate::state::dispatch::queue_state::QueueState;
use crate::state::writer::reply::Reply;

/// How long a write may delay answers.
const PATIENCE: Duration = Duration::from_millis(100);

/// A question that needs no database.
pub(crate) enum WriterQuestion {
    Status(Reply<QueueStatus>),
    /// The status of every processor.
    Processors(Reply<HashMap<String, ProcessorStatus>>),
    /// Why a PENDING task does not start.
    Explain(ExplainedTask, Reply<Explanation>),
}

impl WriterQuestion {
    /// Answers it. A client that is gone does not want the answer.
    fn answer(self, queue_state: &QueueState) {
        match self {
            Self::Status(reply) => drop(reply.send(Ok(queue_state.status()))),
            Self::Processors(reply) => {
                drop(reply.send(Ok(queue_state.processors(Timestamp::now()))));
            }
            Self::Explain(asked, reply) => {
                drop(reply.send(Ok(queue_state.explain(&asked, Timestamp::now()))));
            }
        }
    }
}

/// The inbox of questions, and those that wait for the end of the turn.
pub(crate) struct Questions {
    pub(crate) inbox: mpsc::Receiver<WriterQuestion>,
    pub(crate) taken: Vec<WriterQuestion>,
}

impl Questions {
    pub(crate) fn new(inbox: mpsc::Receiver<WriterQuestion>) -> Self {
        let taken = Vec::new();
        Self { inbox, taken }
    }

    /// Waits for questions and takes them.
    pub(crate) async fn arrive(&mut self) {
        let limit = self.inbox.max_capacity();
        self.inbox.recv_many(&mut self.taken, limit).await;
    }

    /// Takes the questions that have arrived, without waiting.
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

/// Awaits a write, and answers questions meanwhile if it takes long.
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
