//! `venom hive`: runs a worker, shows the nodes of the Hive, and broadcasts commands to them.

mod broadcast;
mod nodes;
mod status;
mod worker;

use clap::{Args, Subcommand};

use crate::cli::error::Error;
use crate::cli::runtime::on_one_thread;

const EXAMPLES: &str = "\
Examples:
  venom hive worker
  venom hive status
  venom hive nodes
  venom hive pause --reason 'the database is being moved'
  venom hive emergency-stop";

/// Run a worker of the Hive, or show and control its nodes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct HiveArgs {
    #[command(subcommand)]
    command: HiveCommand,
}

#[derive(Debug, Subcommand)]
enum HiveCommand {
    Worker(worker::WorkerArgs),
    Status(status::HiveStatusArgs),
    Nodes(nodes::NodesArgs),
    Pause(broadcast::HivePauseArgs),
    Resume(broadcast::HiveResumeArgs),
    EmergencyStop(broadcast::HiveEmergencyStopArgs),
}

/// Runs the subcommand.
pub(crate) fn run(hive: HiveArgs) -> Result<(), Error> {
    match hive.command {
        HiveCommand::Worker(worker) => worker::run(worker),
        HiveCommand::Status(status) => on_one_thread(status::run(&status)),
        HiveCommand::Nodes(nodes) => on_one_thread(nodes::run(&nodes)),
        HiveCommand::Pause(pause) => on_one_thread(broadcast::pause(&pause)),
        HiveCommand::Resume(resume) => on_one_thread(broadcast::resume(&resume)),
        HiveCommand::EmergencyStop(stop) => on_one_thread(broadcast::emergency_stop(&stop)),
    }
}
