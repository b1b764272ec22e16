//! `venom pause`: starts no more tasks, in the whole queue or of one processor.

use clap::Args;
use serde_json::Value;

use super::queue_command::QueueCommandArgs;
use crate::cli::args::pause_options::PauseOptions;
use crate::cli::error::Error;

const EXAMPLES: &str = "\
Examples:
  venom pause
  venom pause --for 10m --reason 'the disk is being replaced'
  venom pause --processor summarise --until 2026-12-24T18:00:00Z

Running tasks continue; new tasks are accepted and queued. The pause lasts until its end or `venom resume`, also
across restarts of the service. If the service's clock is set back, a pause with --until still lasts as long as
planned when it began.";

/// Pause the queue or one processor until `venom resume`.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PauseArgs {
    #[command(flatten)]
    options: PauseOptions,
    #[command(flatten)]
    command: QueueCommandArgs,
}

/// Sends the command.
pub(crate) async fn run(pause: &PauseArgs) -> Result<(), Error> {
    let fields = pause.options.fields();
    let body = (!fields.is_empty()).then_some(Value::Object(fields));
    pause
        .command
        .send("/api/v1/queue/pause", body.as_ref())
        .await
}
