//! The emergency stop, in two parts: it pauses the queue; then, when the orchestrator has cancelled what ran, it
//! purges what was PENDING at the pause.

use crate::models::{Pause, Timestamp};
use crate::state::error::Error;
use crate::state::query::task_lookups;
use crate::state::writer::background::{PurgeCause, Purged};
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;
use crate::state::writer::reply::LaterReply;

/// Pauses the queue, and returns the row number of the newest task.
pub(crate) struct BeginEmergencyStop;

/// Purges up to that row. The answer resolves when the last chunk is stored.
pub(crate) struct FinishEmergencyStop {
    pub(crate) upto: i64,
    /// Running tasks that were stopped.
    pub(crate) cancelled: u64,
}

impl WriterCommand for BeginEmergencyStop {
    type Answer = i64;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<i64, Error> {
        let pause = Pause {
            since: Timestamp::now(),
            until: None,
            reason: Some("emergency stop".to_owned()),
            by: actor.map(str::to_owned),
            emergency_stop: true,
            asked: None,
        };
        core.pause_queue(pause).await?;
        task_lookups::newest_seq(&mut core.db.conn).await
    }
}

impl WriterCommand for FinishEmergencyStop {
    type Answer = LaterReply<Purged>;

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<LaterReply<Purged>, Error> {
        let cancelled = self.cancelled;
        let cause = PurgeCause::EmergencyStop { cancelled };
        Ok(core.begin_purge(self.upto, cause, actor))
    }
}
