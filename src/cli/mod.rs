//! The command line: `venom serve`, and the commands that talk to a running service.
//!
//! One file for each subcommand. Data goes to stdout, words to stderr; the exit code is 0 when it is
//! done, 1 when it failed, 2 when the command line makes no sense.

mod abort;
mod as_owner;
mod backoff;
mod backup;
mod chosen;
mod client;
mod completions;
mod confirm;
mod crash_test;
mod database_file;
mod delete;
mod descriptors;
mod doctor;
mod dump_check;
mod emergency_stop;
mod error;
mod event_line;
mod event_socket;
mod explain;
mod export;
mod filter;
mod follow;
mod greeting;
mod hive;
mod import;
mod list;
mod listing;
mod logs;
mod man;
mod new_task;
mod order;
mod output;
mod paint;
mod pause;
mod pause_terms;
mod period;
mod processors;
mod purge;
mod refusal;
mod reload;
mod restore;
mod resume;
mod retry;
mod schedules;
mod sent_token;
mod serve;
mod show;
mod signals;
mod stats;
mod status;
mod storage;
mod submit;
mod table;
mod target;
mod token;
mod top;
mod watch;

use std::future::Future;
use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use error::Error;

const EXAMPLES: &str = "\
Examples:
  venom                                  serve on http://127.0.0.1:8000
  venom submit --wait hello              run a task and print its result
  venom list --failed                    find tasks; `venom show ID` has one of them in full
  venom watch                            see what happens, as it happens
  venom COMMAND --help                   more about a command, with examples

Settings come from venom.toml, .env, the environment and flags; each is stronger than the one before.
Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// A durable task service in one binary: HTTP in, SQLite on disk, events as they happen.
///
/// Without a command it serves, as `venom serve` does.
#[derive(Debug, Parser)]
#[command(name = "venom", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Submit(submit::Submit),
    List(list::List),
    Show(show::Show),
    Logs(logs::Logs),
    Explain(explain::Explain),
    Watch(watch::Watch),
    Top(top::Top),
    Status(status::Status),
    Stats(stats::Stats),
    Pause(pause::Pause),
    Resume(resume::Resume),
    Purge(purge::Purge),
    EmergencyStop(emergency_stop::EmergencyStop),
    Abort(abort::Abort),
    Retry(retry::Retry),
    Delete(delete::Delete),
    Processors(processors::Processors),
    Schedules(schedules::Schedules),
    Hive(hive::Hive),
    Token(token::Token),
    Reload(reload::Reload),
    Export(export::Export),
    Import(import::Import),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Doctor(doctor::Doctor),
    CrashTest(crash_test::CrashTest),
    Completions(completions::Completions),
    Man(man::Man),
}

/// Does what the command line says; the exit code.
pub fn run() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(CommandLine { command, serve }) => command.unwrap_or(Command::Serve(serve)),
        Err(words) => {
            // Help and the version are such "errors" too, with exit code 0.
            let _ = words.print();
            return ExitCode::from(u8::try_from(words.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_silent() {
                output::say(format_args!("error: {error}"));
            }
            error.exit_code()
        }
    }
}

fn dispatch(command: Command) -> Result<(), Error> {
    match command {
        Command::Serve(serve) => serve::run(&serve),
        Command::Submit(submit) => on_one_thread(submit::run(submit)),
        Command::List(list) => on_one_thread(list::run(&list)),
        Command::Show(show) => on_one_thread(show::run(&show)),
        Command::Logs(logs) => on_one_thread(logs::run(&logs)),
        Command::Explain(explain) => on_one_thread(explain::run(&explain)),
        Command::Watch(watch) => on_one_thread(watch::run(&watch)),
        Command::Top(top) => on_one_thread(top::run(&top)),
        Command::Status(status) => on_one_thread(status::run(&status)),
        Command::Stats(stats) => on_one_thread(stats::run(&stats)),
        Command::Pause(pause) => on_one_thread(pause::run(&pause)),
        Command::Resume(resume) => on_one_thread(resume::run(&resume)),
        Command::Purge(purge) => on_one_thread(purge::run(&purge)),
        Command::EmergencyStop(stop) => on_one_thread(emergency_stop::run(&stop)),
        Command::Abort(abort) => on_one_thread(abort::run(&abort)),
        Command::Retry(retry) => on_one_thread(retry::run(&retry)),
        Command::Delete(delete) => on_one_thread(delete::run(&delete)),
        Command::Processors(processors) => on_one_thread(processors::run(&processors)),
        Command::Schedules(schedules) => on_one_thread(schedules::run(&schedules)),
        Command::Hive(hive) => hive::run(hive),
        Command::Token(token) => token::run(&token),
        Command::Reload(reload) => on_one_thread(reload::run(&reload)),
        Command::Export(export) => on_one_thread(export::run(&export)),
        Command::Import(import) => on_one_thread(import::run(&import)),
        Command::Backup(backup) => on_one_thread(backup::run(&backup)),
        Command::Restore(restore) => on_one_thread(restore::run(&restore)),
        Command::Doctor(doctor) => on_one_thread(doctor::run(&doctor)),
        Command::CrashTest(test) => on_one_thread(crash_test::run(&test)),
        Command::Completions(completions) => completions::run(&completions),
        Command::Man(man) => man::run(&man),
    }
}

/// The whole command line, for those who describe it.
fn command_line() -> clap::Command {
    CommandLine::command()
}

/// Runs a client command: it has one thing to do at a time, and starts faster without a pool.
fn on_one_thread(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Failed(format!("cannot start: {error}")))?;
    let done = runtime.block_on(command);
    // What is left behind are reads that nobody waits for.
    runtime.shutdown_background();
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn flags_of_serve_work_without_its_name() {
        for line in [
            &["venom", "--port", "1"][..],
            &["venom", "serve", "--port", "1"],
        ] {
            let parsed = CommandLine::try_parse_from(line).unwrap();
            let command = parsed.command.unwrap_or(Command::Serve(parsed.serve));
            let Command::Serve(serve) = command else {
                panic!("{command:?}");
            };
            assert_eq!(serve.sources().overrides.port.as_deref(), Some("1"));
        }
    }
}
