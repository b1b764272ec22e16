//! Starts and stops claiming. While claiming is on, the Writer starts ready tasks and sends them to the runner.

use tokio::sync::mpsc;

use crate::models::ClaimedTask;
use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Hands claimed tasks over on this channel, first the attempts that outside workers have had since before this
/// start.
pub(crate) struct StartClaiming(pub(crate) mpsc::UnboundedSender<Vec<ClaimedTask>>);

/// Claims nothing more.
pub(crate) struct StopClaiming;

impl WriterCommand for StartClaiming {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        let Self(runner) = self;
        let recalled = std::mem::take(&mut core.outbox.recalled);
        if !recalled.is_empty() {
            // Whoever starts the demand waits for what it brings.
            let _ = runner.send(recalled);
        }
        core.outbox.runner = Some(runner);
        core.queue.claiming = true;
        core.more_to_claim = true;
        Ok(())
    }
}

impl WriterCommand for StopClaiming {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        core.queue.claiming = false;
        Ok(())
    }
}
