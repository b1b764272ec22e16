//! `venom resume`: ends a pause.

use clap::Args;

use super::error::Error;
use super::order::Order;

const EXAMPLES: &str = "\
Example:
  venom resume";

/// Start tasks again after `venom pause` or `venom emergency-stop`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Resume {
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(super) async fn run(resume: &Resume) -> Result<(), Error> {
    resume.order.give("/api/v1/queue/resume", None).await
}
