//! `venom emergency-stop`: pauses the queue, aborts running tasks and fails queued ones.

use clap::Args;

use super::queue_command::QueueCommandArgs;
use crate::cli::error::Error;
use crate::cli::output::confirm::must_ask;

const EXAMPLES: &str = "\
Example:
  venom emergency-stop && venom status

At a terminal it asks for no confirmation, because it is for emergencies; without one it needs --yes. Running
tasks are FAILED with failure `emergency_stop`, PENDING tasks with failure `purged`. New tasks are accepted, and
start after `venom resume`.";

/// Pause the queue, abort all running tasks, and fail all PENDING tasks.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EmergencyStopArgs {
    /// Allow the stop without a terminal
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    command: QueueCommandArgs,
}

/// Sends the command.
pub(crate) async fn run(stop: &EmergencyStopArgs) -> Result<(), Error> {
    must_ask(stop.yes, "an emergency stop")?;
    stop.command
        .send("/api/v1/queue/emergency-stop", None)
        .await
}
