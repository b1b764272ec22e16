//! Has the full-text index catch up with the journal.

use crate::state::error::Error;
use crate::state::journal::events;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;
use crate::state::writer::reply::LaterReply;

/// Indexes everything that is in the journal at this moment. The answer resolves when that is done.
pub(crate) struct CatchUpIndex;

impl WriterCommand for CatchUpIndex {
    type Answer = LaterReply<()>;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<LaterReply<()>, Error> {
        let head = events::newest_event(&mut core.db.conn).await?;
        Ok(core.index.wait_for(head))
    }
}
