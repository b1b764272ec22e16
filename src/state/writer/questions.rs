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
use crate::state::dispatch::explain::{ExplainedTask, Explanation, ProcessorStatus};
use crate::state::dispatch::queue_state::QueueState;
use crate::state::writer::reply::Reply;

/// How long a write keeps questions waiting.
const PATIENCE: Duration = Duration::from_millis(100);

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
                drop(reply.send(Ok(queue_state.processors(Timestamp::now()))));
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
