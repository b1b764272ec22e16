//! `venom emergency-stop`: everything stops, now.

use clap::Args;

use super::queue_command::Order;
use crate::cli::error::Error;
use crate::cli::output::confirm::must_ask;

const EXAMPLES: &str = "\
Example:
  venom emergency-stop && venom status

At a terminal it asks nothing, because it is for emergencies; without one it needs --yes. Tasks that ran or waited are FAILED, with failure
`emergency_stop` or `purged`. New ones are accepted, and wait for `venom resume`.";

/// Pause the queue, stop every task that runs, and fail every task that waits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct EmergencyStopArgs {
    /// Do it also where there is no terminal
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(crate) async fn run(stop: &EmergencyStopArgs) -> Result<(), Error> {
    must_ask(stop.yes, "an emergency stop")?;
    stop.order.give("/api/v1/queue/emergency-stop", None).await
}
