//! Takes a consistent snapshot of pending and running tasks; `dispatch/snapshot` is its answer.

use std::collections::HashMap;

use crate::models::Timestamp;
use crate::state::dispatch::due_since::DueKey;
use crate::state::dispatch::snapshot::QueueSnapshot;
use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Takes a snapshot of the queue. These are the tasks of each processor that may have been ready for longest.
pub(crate) struct TakeSnapshot(pub(crate) Vec<(String, DueKey)>);

impl WriterCommand for TakeSnapshot {
    type Answer = QueueSnapshot;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<QueueSnapshot, Error> {
        let now = Timestamp::now();
        let mut oldest_due_seconds = HashMap::new();
        for (processor, task) in self.0 {
            let seconds = now.seconds_since(core.due_since.get(&task)).max(0.0);
            let longest: &mut f64 = oldest_due_seconds.entry(processor).or_default();
            *longest = longest.max(seconds);
        }
        Ok(QueueSnapshot {
            status: core.queue.status(),
            blocked: core.queue.blocked,
            processors: core.queue.processors(now),
            oldest_due_seconds,
        })
    }
}
