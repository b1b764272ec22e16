//! `venom hive pause`, `resume` and `emergency-stop`: broadcast a command to all nodes.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::args::pause_options::PauseOptions;
use crate::cli::error::Error;
use crate::cli::output::confirm::must_ask;
use crate::cli::service::queue_command::QueueCommandArgs;

const PATH: &str = "/api/v1/hive/broadcast";

const PAUSE_EXAMPLES: &str = "\
Examples:
  venom hive pause
  venom hive pause --for 10m --reason 'the database is being moved'

Each service pauses its own queue, and each worker takes no jobs, until the end of the pause or `venom hive
resume`. A node that is offline pauses when it is back; with --processor, only nodes that are online pause.";

/// Pause all nodes until `venom hive resume`.
#[derive(Args, Debug)]
#[command(after_help = PAUSE_EXAMPLES)]
pub(crate) struct HivePauseArgs {
    #[command(flatten)]
    options: PauseOptions,
    #[command(flatten)]
    command: QueueCommandArgs,
}

/// Resume all nodes.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  venom hive resume && venom hive nodes")]
pub(crate) struct HiveResumeArgs {
    /// Resume only this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    #[command(flatten)]
    command: QueueCommandArgs,
}

const STOP_EXAMPLES: &str = "\
Example:
  venom hive emergency-stop && venom hive nodes

At a terminal it asks for no confirmation, because it is for emergencies; without one it needs --yes. Each service
stops like with `venom emergency-stop`, and each worker aborts its jobs. A node that is offline stops when it is
back.";

/// Pause all nodes, abort all running tasks, and fail all PENDING tasks.
#[derive(Args, Debug)]
#[command(after_help = STOP_EXAMPLES)]
pub(crate) struct HiveEmergencyStopArgs {
    /// Allow the stop without a terminal
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    command: QueueCommandArgs,
}

/// Broadcasts a pause.
pub(crate) async fn pause(pause: &HivePauseArgs) -> Result<(), Error> {
    broadcast(&pause.command, "pause", pause.options.fields()).await
}

/// Broadcasts a resume.
pub(crate) async fn resume(resume: &HiveResumeArgs) -> Result<(), Error> {
    let processor = resume.processor.as_ref();
    let data = processor.map(|processor| ("processor".to_owned(), json!(processor)));
    broadcast(&resume.command, "resume", data.into_iter().collect()).await
}

/// Broadcasts an emergency stop.
pub(crate) async fn emergency_stop(stop: &HiveEmergencyStopArgs) -> Result<(), Error> {
    must_ask(stop.yes, "an emergency stop")?;
    broadcast(&stop.command, "emergency_stop", Map::new()).await
}

async fn broadcast(
    queue_command: &QueueCommandArgs,
    command: &str,
    data: Map<String, Value>,
) -> Result<(), Error> {
    let body = json!({ "command": command, "data": data });
    queue_command.send(PATH, Some(&body)).await
}
