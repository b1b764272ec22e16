//! `venom crash-test`: proves on a given disk that no accepted task is lost by `kill -9`.
//!
//! Each round starts this program as a service in a temporary folder, submits from several clients, and kills the
//! service at a random time. With `--power`, it then takes back writes that the service had not synced. At the end a
//! service runs all tasks, and the database is compared with the answers that the clients received ([`Submissions`]).

mod answer;
mod clients;
mod service;
mod submissions;
mod verdict;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;

use crate::cli::args::duration::read_duration;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json, say};
use crate::cli::signals::StopSignals;
use crate::config::Durability;
use crate::state::cut_power;
use clients::LoadClients;
use service::{ServiceOptions, ServiceProcess};
use submissions::Submissions;
use verdict::Verdict;

/// The longest time from the first 201 of a round to the kill.
const LONGEST_LIFE: Duration = Duration::from_millis(400);
/// The longest time from the start to the kill, in rounds that kill a starting service.
const LONGEST_START: Duration = Duration::from_millis(60);
/// One of this many rounds kills a starting service.
const STARTUP_KILL_EVERY: usize = 4;

const EXAMPLES: &str = "\
Examples:
  venom crash-test
  venom crash-test --dir /srv/venom --rounds 100
  venom crash-test --power
  venom crash-test --seconds 600 --clients 64 --json

The test uses a new folder in --dir and its own settings, and removes the folder at the end unless the test
failed. Exit code 1 means FAIL. A kill -9 tests the service, and --power also whether it syncs in time; only a real
power cut tests whether the disk keeps what it has synced.";

/// Test that no accepted task is lost when the service is killed.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CrashTestArgs {
    /// Kill the service this many times
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Start no round after this duration, such as 600, 10m or 1h
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    seconds: Option<Duration>,
    /// Submit from this many clients at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// Test the disk of this folder [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Simulate a power cut after each kill: lose or tear writes that were not synced
    #[arg(long)]
    power: bool,
    /// Let the service answer before it syncs, so that the test must fail
    #[arg(long, hide = true, requires = "power")]
    control: bool,
    /// Print the verdict as JSON
    #[arg(long)]
    json: bool,
}

impl CrashTestArgs {
    fn service(&self, records_writes: bool) -> ServiceOptions {
        ServiceOptions {
            durability: match self.control {
                true => Durability::Normal,
                false => Durability::Full,
            },
            records_writes,
        }
    }
}

/// Runs the rounds and prints the verdict.
pub(crate) async fn run(test: &CrashTestArgs) -> Result<(), Error> {
    let mut signals = StopSignals::listen()
        .map_err(|error| Error::Failed(format!("cannot receive signals: {error}")))?;
    let parent = test.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("venom-crash-test-")
        .tempdir_in(&parent)
        .map_err(|error| Error::Failed(format!("cannot write to {}: {error}", parent.display())))?;
    let verdict = tokio::select! {
        verdict = kill_and_count(test, folder.path()) => verdict,
        () = signals.next() => {
            return Err(Error::Failed("cancelled; the test folder was removed".to_owned()));
        }
    };
    // A database that cannot be opened after a kill is the worst outcome, so the folder is kept.
    let verdict = match verdict {
        Ok(verdict) => verdict,
        Err(error) => {
            let kept = kept_for_inspection(folder);
            return Err(Error::Failed(format!("{error}; {kept}")));
        }
    };
    match test.json {
        true => print_json(&verdict.json())?,
        false => print(&verdict.to_string())?,
    }
    match verdict.is_pass() {
        true => Ok(()),
        false => Err(Error::Failed(kept_for_inspection(folder))),
    }
}

async fn kill_and_count(test: &CrashTestArgs, folder: &Path) -> Result<Verdict, Error> {
    let end = test.seconds.map(|seconds| Instant::now() + seconds);
    let submissions = Submissions::default();
    let mut kills = 0;
    for round in 1..=test.rounds {
        // The first round always runs, or the test would prove nothing.
        if round > 1 && end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        kill_once(test, folder, &submissions, round).await?;
        kills += 1;
        let lost = match test.power {
            true => lose_unsynced(&folder.join(service::DATABASE))?,
            false => String::new(),
        };
        say(format_args!(
            "round {round}: killed{lost}; {} tasks accepted so far",
            submissions.accepted()
        ));
    }
    // It is stopped, not killed, so it records nothing.
    let service = ServiceProcess::start(folder, test.service(false))?;
    let url = service.listens().await?;
    service::drained(&url).await?;
    service.stop().await?;
    let mut verdict = submissions.check(&folder.join(service::DATABASE)).await?;
    verdict.kills = kills;
    Ok(verdict)
}

/// Cuts the power of the database, and returns what to say about it.
fn lose_unsynced(database: &Path) -> Result<String, Error> {
    let cut = cut_power(database, &mut fastrand::Rng::new());
    let unsynced =
        cut.map_err(|error| Error::Failed(format!("cannot simulate a power cut: {error}")))?;
    Ok(format!(", power cut (unsynced writes: {unsynced})"))
}

async fn kill_once(
    test: &CrashTestArgs,
    folder: &Path,
    submissions: &Submissions,
    round: u32,
) -> Result<(), Error> {
    let service = ServiceProcess::start(folder, test.service(test.power))?;
    if round > 1 && fastrand::usize(..STARTUP_KILL_EVERY) == 0 {
        tokio::time::sleep(LONGEST_START.mul_f64(fastrand::f64())).await;
        return service.kill().await;
    }
    let url = service.listens().await?;
    let mut clients = LoadClients::start(&url, submissions, round, test.clients)?;
    clients.first_acknowledgement().await?;
    tokio::time::sleep(LONGEST_LIFE.mul_f64(fastrand::f64())).await;
    service.kill().await?;
    clients.finished().await;
    Ok(())
}

fn kept_for_inspection(folder: TempDir) -> String {
    let folder = folder.keep();
    format!("the database and the log are kept in {}", folder.display())
}
