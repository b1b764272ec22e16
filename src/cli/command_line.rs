//! The whole command line as clap reads it, and as manual pages, completions and the reference render it.

use clap::{CommandFactory, Parser, Subcommand};

use super::local::{backup, doctor, export, import, restore};
use super::service::{
    emergency_stop, pause, processors, purge, reload, resume, schedules, stats, status, watch,
};
use super::shell::{completions, man};
use super::tasks::{abort, delete, explain, list, logs, retry, show, submit};
use super::{crash_test, hive, serve, token, top};

const EXAMPLES: &str = "\
Examples:
  venom                                  run the service on http://127.0.0.1:8000
  venom submit --wait hello              run a task and print its result
  venom list --failed                    find tasks; `venom show ID` prints one in full
  venom watch                            print events as they happen
  venom COMMAND --help                   explain a command, with examples

Settings come from venom.toml, .env, the environment and flags; each overrides the ones before it.
Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// Run a durable task service in one binary: HTTP in, SQLite on disk, events as they happen.
///
/// Without a command, venom runs the service like `venom serve`.
#[derive(Debug, Parser)]
#[command(name = "venom", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(super) struct CommandLine {
    #[command(subcommand)]
    command: Option<VenomCommand>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

impl CommandLine {
    /// Returns the command to run; `venom` alone serves.
    pub(super) fn into_command(self) -> VenomCommand {
        self.command.unwrap_or(VenomCommand::Serve(self.serve))
    }
}

/// Every subcommand with its arguments.
#[derive(Debug, Subcommand)]
pub(super) enum VenomCommand {
    Serve(serve::ServeArgs),
    Submit(submit::SubmitArgs),
    List(list::ListArgs),
    Show(show::ShowArgs),
    Logs(logs::LogsArgs),
    Explain(explain::ExplainArgs),
    Watch(watch::WatchArgs),
    Top(top::TopArgs),
    Status(status::StatusArgs),
    Stats(stats::StatsArgs),
    Pause(pause::PauseArgs),
    Resume(resume::ResumeArgs),
    Purge(purge::PurgeArgs),
    EmergencyStop(emergency_stop::EmergencyStopArgs),
    Abort(abort::AbortArgs),
    Retry(retry::RetryArgs),
    Delete(delete::DeleteArgs),
    Processors(processors::ProcessorsArgs),
    Schedules(schedules::SchedulesArgs),
    Hive(hive::HiveArgs),
    Token(token::TokenArgs),
    Reload(reload::ReloadArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Backup(backup::BackupArgs),
    Restore(restore::RestoreArgs),
    Doctor(doctor::DoctorArgs),
    CrashTest(crash_test::CrashTestArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Returns the definition of the whole command line, for everything that describes it.
pub(crate) fn command() -> clap::Command {
    CommandLine::command()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn flags_of_serve_work_without_its_name() {
        for line in [
            &["venom", "--port", "1"][..],
            &["venom", "serve", "--port", "1"],
        ] {
            let command = CommandLine::try_parse_from(line).unwrap().into_command();
            let VenomCommand::Serve(serve) = command else {
                panic!("{command:?}");
            };
            assert_eq!(serve.sources().overrides.port.as_deref(), Some("1"));
        }
    }
}
