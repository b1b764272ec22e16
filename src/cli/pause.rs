//! `venom pause`: nothing more is started.

use clap::Args;
use serde_json::json;

use super::error::Error;
use super::order::Order;

const EXAMPLES: &str = "\
Examples:
  venom pause
  venom pause --reason 'the disk is being replaced'

Tasks that run go on, new ones are accepted and wait. The pause lasts until `venom resume`, also
through restarts of the service.";

/// Start no more tasks until `venom resume`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Pause {
    /// Why, for those who ask later
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(super) async fn run(pause: &Pause) -> Result<(), Error> {
    let body = pause
        .reason
        .as_ref()
        .map(|reason| json!({ "reason": reason }));
    pause.order.give("/api/v1/queue/pause", body.as_ref()).await
}
