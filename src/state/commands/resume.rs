//! Ends a pause of the queue or of one processor, on request or when its time has come.

use serde_json::json;

use crate::models::{EventType, Pause, QueueStatus, Timestamp};
use crate::state::db::meta;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Resumes one processor; `None` stands for the whole queue.
pub(crate) struct ResumeQueue(pub(crate) Option<String>);

/// The answer to a resume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resumed {
    /// Whether there was a pause to end.
    pub(crate) was_paused: bool,
    pub(crate) status: QueueStatus,
}

impl WriterCommand for ResumeQueue {
    type Answer = Resumed;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<Resumed, Error> {
        let was_paused = match self.0 {
            None => core.resume_queue(actor).await?,
            Some(name) => core.resume_processor(&name, actor).await?,
        };
        let status = core.queue.status();
        Ok(Resumed { was_paused, status })
    }
}

impl Core {
    /// Ends the pauses whose time has come. What could not be stored is tried again.
    pub(crate) async fn end_pauses(&mut self) {
        if let Err(error) = self.end_pauses_at(Timestamp::now()).await {
            self.note_failure(&error);
        }
    }

    async fn end_pauses_at(&mut self, now: Timestamp) -> Result<(), Error> {
        let has_ended = |pause: &Pause| !pause.is_active_at(now);
        let ended: Vec<_> = (self.queue.paused_processors.iter())
            .filter(|(_, pause)| has_ended(pause))
            .map(|(name, _)| name.clone())
            .collect();
        for name in ended {
            self.resume_processor(&name, None).await?;
        }
        if self.queue.pause.as_ref().is_some_and(has_ended) {
            self.resume_queue(None).await?;
        }
        Ok(())
    }

    /// Resumes the queue, and returns whether it was paused.
    async fn resume_queue(&mut self, actor: Option<&str>) -> Result<bool, Error> {
        if self.queue.pause.is_none() {
            return Ok(false);
        }
        let data = json!({ "pending_tasks": self.queue.pending_total() });
        let entry = JournalEntry::of_queue(EventType::QueueResumed, "Queue resumed", data);
        let entry = entry.by(actor);
        let written = self.transact(Timestamp::now(), async |conn| {
            meta::delete(conn, meta::PAUSE).await?;
            Ok(((), vec![entry]))
        });
        let ((), committed) = written.await?;
        self.queue.pause = None;
        // Pending tasks start with the next turn, which is due at once.
        self.more_to_claim = true;
        self.publish(committed).await;
        Ok(true)
    }

    /// Resumes a processor, whatever paused it, and returns whether it was paused.
    async fn resume_processor(&mut self, name: &str, actor: Option<&str>) -> Result<bool, Error> {
        let mut paused = self.queue.paused_processors.clone();
        if paused.remove(name).is_none() {
            return Ok(false);
        }
        let pending = self.queue.lanes.count_of_processor(name);
        let data = json!({ "pending_tasks": pending, "processor": name });
        let words = format!("Processor {name} resumed");
        let entry = JournalEntry::of_queue(EventType::QueueResumed, &words, data).by(actor);
        self.set_paused_processors(paused, entry).await?;
        self.more_to_claim = true;
        Ok(true)
    }
}
