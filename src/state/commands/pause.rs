//! Pauses the queue or one processor: no task of it starts, also after a restart. Running tasks continue.

use serde_json::json;

use crate::models::{EventType, Pause, Timestamp};
use crate::state::db::meta;
use crate::state::dispatch::paused_processors;
use crate::state::dispatch::paused_processors::PausedProcessors;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// What to pause, and for how long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PauseQueue {
    /// One processor; `None` stands for the whole queue.
    pub(crate) processor: Option<String>,
    /// The pause ends by itself at this time.
    pub(crate) until: Option<Timestamp>,
    pub(crate) reason: Option<String>,
}

/// The answer to a pause.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Paused {
    /// Tasks that go on running.
    pub(crate) active: u64,
    /// The pause that holds after it.
    pub(crate) pause: Pause,
}

impl WriterCommand for PauseQueue {
    type Answer = Paused;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<Paused, Error> {
        let pause = Pause {
            since: Timestamp::now(),
            until: self.until,
            reason: self.reason,
            by: actor.map(str::to_owned),
            emergency_stop: false,
            asked: None,
        };
        match &self.processor {
            None => core.pause_queue(pause).await,
            Some(name) => core.pause_processor(name, pause).await,
        }
    }
}

impl Core {
    /// Pauses the queue, and returns the pause that holds then. One that changes nothing causes no event.
    pub(crate) async fn pause_queue(&mut self, next: Pause) -> Result<Paused, Error> {
        let active = self.queue.running_total();
        let time = next.since;
        let pause = Pause::on_top_of(self.queue.pause.as_ref(), next);
        if self.queue.pause.as_ref() == Some(&pause) {
            return Ok(Paused { active, pause });
        }
        // For an emergency stop of a paused queue, EMERGENCY_STOP says enough.
        let has_event = self.queue.pause.is_none() || !pause.emergency_stop;
        let entry = has_event.then(|| {
            JournalEntry::of_queue(
                EventType::QueuePaused,
                "Queue paused",
                json!({ "active_tasks": active, "reason": pause.reason, "until": pause.until }),
            )
            .by(pause.by.as_deref())
        });
        let value = serde_json::to_string(&pause)?;
        let written = self.transact(time, async |conn| {
            meta::set(conn, meta::PAUSE, &value).await?;
            Ok(((), entry.into_iter().collect()))
        });
        let ((), committed) = written.await?;
        self.queue.pause = Some(pause.clone());
        self.publish(committed).await;
        Ok(Paused { active, pause })
    }

    /// Pauses a processor, and returns the pause of it that holds then. One that changes nothing causes no event.
    async fn pause_processor(&mut self, name: &str, next: Pause) -> Result<Paused, Error> {
        let active = self.queue.running_of_processor(name);
        let earlier = self.queue.paused_processors.get(name);
        let pause = Pause::on_top_of(earlier, next);
        if earlier == Some(&pause) {
            return Ok(Paused { active, pause });
        }
        let data = json!({
            "active_tasks": active, "reason": pause.reason, "processor": name,
            "until": pause.until,
        });
        let entry = JournalEntry::of_queue(
            EventType::QueuePaused,
            &format!("Processor {name} paused"),
            data,
        )
        .by(pause.by.as_deref());
        let mut paused = self.queue.paused_processors.clone();
        paused.insert(name.to_owned(), pause.clone());
        self.set_paused_processors(paused, entry).await?;
        Ok(Paused { active, pause })
    }

    /// Stores which processors are paused, with the event that says what has changed.
    pub(crate) async fn set_paused_processors(
        &mut self,
        paused: PausedProcessors,
        entry: JournalEntry,
    ) -> Result<(), Error> {
        let written = self.transact(Timestamp::now(), async |conn| {
            paused_processors::store(conn, &paused).await?;
            Ok(((), vec![entry]))
        });
        let ((), committed) = written.await?;
        self.queue.paused_processors = paused;
        self.publish(committed).await;
        Ok(())
    }
}
