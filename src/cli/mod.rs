//! The command line: `venom serve`, and the commands that talk to a running service or open its database.
//!
//! One file for each subcommand. Data goes to stdout, messages to stderr. The exit code is 0 when the command is
//! done, 1 when it failed, 2 when the command line makes no sense.

mod args;
mod client;
mod command_line;
mod crash_test;
mod error;
mod hive;
mod local;
mod output;
mod runtime;
mod serve;
mod service;
mod shell;
mod signals;
mod tasks;
mod token;
mod top;

#[cfg(test)]
pub(crate) use command_line::command;

use std::process::ExitCode;

use clap::Parser;

use command_line::{CommandLine, VenomCommand};
use error::Error;
use local::{backup, doctor, export, import, restore};
use output::print::say;
use runtime::on_one_thread;
use service::{
    emergency_stop, pause, processors, purge, reload, resume, schedules, stats, status, watch,
};
use shell::{completions, man};
use tasks::{abort, delete, explain, list, logs, retry, show, submit};

/// Runs the command that the command line names and returns its exit code.
pub fn run() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.into_command(),
        Err(error) => {
            // Help and the version are such "errors" too, with exit code 0.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                say(format_args!("error: {error}"));
            }
            error.exit_code()
        }
    }
}

fn dispatch(command: VenomCommand) -> Result<(), Error> {
    match command {
        VenomCommand::Serve(args) => serve::run(&args),
        VenomCommand::Submit(args) => on_one_thread(submit::run(args)),
        VenomCommand::List(args) => on_one_thread(list::run(&args)),
        VenomCommand::Show(args) => on_one_thread(show::run(&args)),
        VenomCommand::Logs(args) => on_one_thread(logs::run(&args)),
        VenomCommand::Explain(args) => on_one_thread(explain::run(&args)),
        VenomCommand::Watch(args) => on_one_thread(watch::run(&args)),
        VenomCommand::Top(args) => on_one_thread(top::run(&args)),
        VenomCommand::Status(args) => on_one_thread(status::run(&args)),
        VenomCommand::Stats(args) => on_one_thread(stats::run(&args)),
        VenomCommand::Pause(args) => on_one_thread(pause::run(&args)),
        VenomCommand::Resume(args) => on_one_thread(resume::run(&args)),
        VenomCommand::Purge(args) => on_one_thread(purge::run(&args)),
        VenomCommand::EmergencyStop(args) => on_one_thread(emergency_stop::run(&args)),
        VenomCommand::Abort(args) => on_one_thread(abort::run(&args)),
        VenomCommand::Retry(args) => on_one_thread(retry::run(&args)),
        VenomCommand::Delete(args) => on_one_thread(delete::run(&args)),
        VenomCommand::Processors(args) => on_one_thread(processors::run(&args)),
        VenomCommand::Schedules(args) => on_one_thread(schedules::run(&args)),
        VenomCommand::Hive(args) => hive::run(args),
        VenomCommand::Token(args) => token::run(&args),
        VenomCommand::Reload(args) => on_one_thread(reload::run(&args)),
        VenomCommand::Export(args) => on_one_thread(export::run(&args)),
        VenomCommand::Import(args) => on_one_thread(import::run(&args)),
        VenomCommand::Backup(args) => on_one_thread(backup::run(&args)),
        VenomCommand::Restore(args) => on_one_thread(restore::run(&args)),
        VenomCommand::Doctor(args) => on_one_thread(doctor::run(&args)),
        VenomCommand::CrashTest(args) => on_one_thread(crash_test::run(&args)),
        VenomCommand::Completions(args) => completions::run(&args, &mut command_line::command()),
        VenomCommand::Man(args) => man::run(&args, command_line::command()),
    }
}
