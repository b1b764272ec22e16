//! Sets whether the Hive takes tasks. Nothing is stored.

use crate::models::HiveLink;
use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// The state of the link to the Hive from this moment on.
pub(crate) struct SetHiveLink(pub(crate) HiveLink);

impl WriterCommand for SetHiveLink {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        core.queue.hive = self.0;
        // Tasks that have waited for the Hive start with the next turn, which is due at once.
        core.more_to_claim = true;
        Ok(())
    }
}
