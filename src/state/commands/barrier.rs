//! The barrier: the Writer answers it after all earlier messages.

use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Does nothing, after everything that was sent before it.
pub(crate) struct Barrier;

impl WriterCommand for Barrier {
    type Answer = ();

    async fn run(self, _core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        Ok(())
    }
}
