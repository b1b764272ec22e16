//! `venom emergency-stop`: everything stops, now.

use clap::Args;

use super::error::Error;
use super::order::Order;

const EXAMPLES: &str = "\
Example:
  venom emergency-stop && venom status

It asks nothing, because it is for emergencies. Tasks that ran or waited are FAILED, with failure
`emergency_stop` or `purged`. New ones are accepted, and wait for `venom resume`.";

/// Pause the queue, stop every task that runs, and fail every task that waits.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct EmergencyStop {
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(super) async fn run(stop: &EmergencyStop) -> Result<(), Error> {
    stop.order.give("/api/v1/queue/emergency-stop", None).await
}
