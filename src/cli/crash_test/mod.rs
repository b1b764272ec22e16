//! `venom crash-test`: the promise of a 201, tried on the disk of the person who asks.
//!
//! Each round starts this very program as a service in a folder of its own, submits from several clients,
//! and kills it (`kill -9`) at a random moment. At the end it runs until all is done, and the database is
//! held against what the clients know ([`Ledger`]).

mod clients;
mod service;
mod submissions;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use tempfile::TempDir;

use crate::cli::args::duration::period;
use crate::cli::error::Error;
use crate::cli::output::print::{print, print_json, say};
use crate::cli::signals::Signals;
use clients::Load;
use service::Service;
use submissions::{Ledger, Verdict};

/// The longest time from the first acknowledgement of a round to its end.
const LONGEST_LIFE: Duration = Duration::from_millis(400);
/// The longest time from the start of a process that is killed while it starts.
const LONGEST_START: Duration = Duration::from_millis(60);
/// One round in so many kills the service while it starts.
const STARTS: usize = 4;

const EXAMPLES: &str = "\
Examples:
  venom crash-test
  venom crash-test --dir /srv/venom --rounds 100
  venom crash-test --seconds 600 --clients 64 --json

It touches nothing of yours: it works in a new folder in --dir, with settings of its own, and removes it
at the end, unless something was lost. Exit code 1 says that the promise was broken. A kill -9 tries the
service; that the disk keeps what it was told to sync is only tried by cutting the power.";

/// Kill a service again and again, and see whether anything accepted is lost.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CrashTestArgs {
    /// How often it is killed
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Begin no round after this time, such as 600, 10m or 1h
    #[arg(long, value_name = "TIME", value_parser = period)]
    seconds: Option<Duration>,
    /// Clients that submit at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// Folder on the disk to be tried [default: the folder for temporary files]
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// Print the ledger as JSON
    #[arg(long)]
    json: bool,
}

/// Kills, counts, and prints the ledger.
pub(crate) async fn run(test: &CrashTestArgs) -> Result<(), Error> {
    let mut signals = Signals::listen()
        .map_err(|error| Error::Failed(format!("cannot receive signals: {error}")))?;
    let parent = test.dir.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new()
        .prefix("venom-crash-test-")
        .tempdir_in(&parent)
        .map_err(|error| Error::Failed(format!("cannot write to {}: {error}", parent.display())))?;
    let verdict = tokio::select! {
        verdict = kill_and_count(test, folder.path()) => verdict,
        () = signals.next() => {
            return Err(Error::Failed("stopped; nothing is left behind".to_owned()));
        }
    };
    // A database that cannot be opened after a kill is the worst of all outcomes.
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
    match verdict.is_kept() {
        true => Ok(()),
        false => Err(Error::Failed(kept_for_inspection(folder))),
    }
}

async fn kill_and_count(test: &CrashTestArgs, folder: &Path) -> Result<Verdict, Error> {
    let end = test.seconds.map(|seconds| Instant::now() + seconds);
    let ledger = Ledger::default();
    let mut kills = 0;
    for round in 1..=test.rounds {
        // The first is always whole, or nothing would be proved.
        if round > 1 && end.is_some_and(|end| Instant::now() >= end) {
            break;
        }
        kill_once(test, folder, &ledger, round).await?;
        kills += 1;
        say(format_args!(
            "round {round}: killed; {} tasks accepted so far",
            ledger.accepted()
        ));
    }
    let service = Service::start(folder)?;
    let url = service.listens().await?;
    service::drained(&url).await?;
    service.stop().await?;
    let mut verdict = ledger.check(&folder.join(service::DATABASE)).await?;
    verdict.kills = kills;
    Ok(verdict)
}

async fn kill_once(
    test: &CrashTestArgs,
    folder: &Path,
    ledger: &Ledger,
    round: u32,
) -> Result<(), Error> {
    let service = Service::start(folder)?;
    if round > 1 && fastrand::usize(..STARTS) == 0 {
        tokio::time::sleep(LONGEST_START.mul_f64(fastrand::f64())).await;
        return service.kill().await;
    }
    let url = service.listens().await?;
    let mut load = Load::start(&url, ledger, round, test.clients)?;
    load.first_acknowledgement().await?;
    tokio::time::sleep(LONGEST_LIFE.mul_f64(fastrand::f64())).await;
    service.kill().await?;
    load.ends().await;
    Ok(())
}

fn kept_for_inspection(folder: TempDir) -> String {
    let folder = folder.keep();
    format!("the database and the log are kept in {}", folder.display())
}
