//! `venom pause`: nothing more is started, by the whole queue or by one processor.

use clap::Args;
use serde_json::Value;

use super::queue_command::Order;
use crate::cli::args::pause_options::PauseTerms;
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom pause
  venom pause --for 10m --reason 'the disk is being replaced'
  venom pause --processor summarise --until 2026-12-24T18:00:00Z

Tasks that run go on, new ones are accepted and wait. The pause lasts until its time is over or
`venom resume`, also through restarts of the service. If the service's clock is set back, a pause with
`--until` too lasts as long as it was to last when it began.";

/// Start no more tasks until `venom resume`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    terms: PauseTerms,
    #[command(flatten)]
    order: Order,
}

/// Gives the order.
pub(crate) async fn run(pause: &PauseArgs) -> Result<(), Error> {
    let fields = pause.terms.fields();
    let body = (!fields.is_empty()).then_some(Value::Object(fields));
    pause.order.give("/api/v1/queue/pause", body.as_ref()).await
}
