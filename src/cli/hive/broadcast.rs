//! `venom hive pause`, `resume` and `emergency-stop`: orders to all nodes that listen.

use clap::Args;
use serde_json::{Map, Value, json};

use crate::cli::args::pause_options::PauseTerms;
use crate::cli::error::Error;
use crate::cli::output::confirm::must_ask;
use crate::cli::service::queue_command::Order;

const PATH: &str = "/api/v1/hive/broadcast";

const PAUSE_EXAMPLES: &str = "\
Examples:
  venom hive pause
  venom hive pause --for 10m --reason 'the database is being moved'

Each service pauses its own queue, and each worker takes no jobs, until its time is over or `venom hive
resume`. A node that is away at this moment obeys when it is back; of one processor, only those that are there.";

/// Start no more tasks on any node until `venom hive resume`.
#[derive(Args, Debug)]
#[command(after_help = PAUSE_EXAMPLES)]
pub(crate) struct HivePauseArgs {
    #[command(flatten)]
    terms: PauseTerms,
    #[command(flatten)]
    order: Order,
}

/// Start tasks again on all nodes.
#[derive(Args, Debug)]
#[command(after_help = "Example:\n  venom hive resume && venom hive nodes")]
pub(crate) struct HiveResumeArgs {
    /// Only tasks of this processor
    #[arg(long, value_name = "NAME")]
    processor: Option<String>,
    #[command(flatten)]
    order: Order,
}

const STOP_EXAMPLES: &str = "\
Example:
  venom hive emergency-stop && venom hive nodes

At a terminal it asks nothing, because it is for emergencies; without one it needs --yes. Each service does what `venom emergency-stop` does to one, and
each worker aborts what it runs. A node that is away at this moment obeys when it is back.";

/// On all nodes: pause, stop every task that runs, and fail every task that waits.
#[derive(Args, Debug)]
#[command(after_help = STOP_EXAMPLES)]
pub(crate) struct HiveEmergencyStopArgs {
    /// Do it also where there is no terminal
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    order: Order,
}

/// Has all nodes pause.
pub(crate) async fn pause(pause: &HivePauseArgs) -> Result<(), Error> {
    give(&pause.order, "pause", pause.terms.fields()).await
}

/// Has all nodes go on.
pub(crate) async fn resume(resume: &HiveResumeArgs) -> Result<(), Error> {
    let processor = resume.processor.as_ref();
    let data = processor.map(|processor| ("processor".to_owned(), json!(processor)));
    give(&resume.order, "resume", data.into_iter().collect()).await
}

/// Stops everything everywhere.
pub(crate) async fn emergency_stop(stop: &HiveEmergencyStopArgs) -> Result<(), Error> {
    must_ask(stop.yes, "an emergency stop")?;
    give(&stop.order, "emergency_stop", Map::new()).await
}

async fn give(order: &Order, command: &str, data: Map<String, Value>) -> Result<(), Error> {
    let body = json!({ "command": command, "data": data });
    order.give(PATH, Some(&body)).await
}
