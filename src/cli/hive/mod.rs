//! `venom hive`: the commands about all nodes at once, and the worker.

mod nodes;
mod orders;
mod status;
mod worker;

use clap::{Args, Subcommand};

use super::error::Error;
use super::on_one_thread;

const EXAMPLES: &str = "\
Examples:
  venom hive worker
  venom hive status
  venom hive nodes
  venom hive pause --reason 'the database is being moved'
  venom hive emergency-stop";

/// Work for the Hive on this machine, or see and steer all its nodes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Hive {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Worker(worker::Worker),
    Status(status::Status),
    Nodes(nodes::Nodes),
    Pause(orders::Pause),
    Resume(orders::Resume),
    EmergencyStop(orders::EmergencyStop),
}

/// Does what the command says.
pub(crate) fn run(hive: Hive) -> Result<(), Error> {
    match hive.command {
        Command::Worker(worker) => worker::run(worker),
        Command::Status(status) => on_one_thread(status::run(&status)),
        Command::Nodes(nodes) => on_one_thread(nodes::run(&nodes)),
        Command::Pause(pause) => on_one_thread(orders::pause(&pause)),
        Command::Resume(resume) => on_one_thread(orders::resume(&resume)),
        Command::EmergencyStop(stop) => on_one_thread(orders::emergency_stop(&stop)),
    }
}
