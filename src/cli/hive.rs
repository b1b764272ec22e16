//! `venom hive`: the commands about all nodes at once.

use clap::{Args, Subcommand};

use super::error::Error;
use super::{hive_nodes, hive_orders, hive_status};

const EXAMPLES: &str = "\
Examples:
  venom hive status
  venom hive nodes
  venom hive pause --reason 'the database is being moved'
  venom hive emergency-stop";

/// The Hive: see and steer all its nodes, by way of a service that belongs to it.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Hive {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Status(hive_status::Status),
    Nodes(hive_nodes::Nodes),
    Pause(hive_orders::Pause),
    Resume(hive_orders::Resume),
    EmergencyStop(hive_orders::EmergencyStop),
}

/// Does what the command says.
pub(super) async fn run(hive: &Hive) -> Result<(), Error> {
    match &hive.command {
        Command::Status(status) => hive_status::run(status).await,
        Command::Nodes(nodes) => hive_nodes::run(nodes).await,
        Command::Pause(pause) => hive_orders::pause(pause).await,
        Command::Resume(resume) => hive_orders::resume(resume).await,
        Command::EmergencyStop(stop) => hive_orders::emergency_stop(stop).await,
    }
}
