//! The command line of the benchmark, and the plan that follows from it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Parser, ValueEnum};

/// Measures the service against a bare axum JSON echo.
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench service --")]
pub struct Options {
    /// A smoke run: half a second each, one round, a small seed. Its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Only these scenarios, such as `a,b`.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Length of one measurement [default: 3].
    #[arg(long, value_parser = seconds)]
    seconds: Option<Duration>,
    /// Measurements of each kind, alternating with their reference [default: 3]. Those that
    /// something else on the machine disturbed are repeated, up to twice each.
    #[arg(long, value_parser = rounds)]
    rounds: Option<usize>,
    /// Write all figures to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this build of `venom` instead of the one of this checkout.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_venom"),
          hide_default_value = true)]
    service: PathBuf,
    /// Put the databases here instead of `target/tmp`; it should be a disk whose syncs are real, so not a tmpfs.
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"),
          hide_default_value = true)]
    folder: PathBuf,
    /// Be the reference: how the benchmark starts its own second process.
    #[arg(long, hide = true)]
    pub echo_server: bool,
    /// What `cargo bench` adds to every benchmark's arguments.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Scenario {
    /// durable accepts, queue paused
    A,
    /// accepted, started, completed and logged
    B,
    /// idle latency
    C,
    /// A and B on a large database
    D,
    /// B with listeners
    E,
    /// B beside a million tasks that wait and may not start
    F,
    /// B with tasks that ask for more than to be run
    G,
    /// accepts beside a batch of 10,000
    H,
    /// B with everything of D, E and G
    I,
}

/// What to measure, for how long, with what.
pub struct Plan {
    pub scenarios: Vec<Scenario>,
    pub duration: Duration,
    /// Load before each measurement that is not counted.
    pub warm_up: Duration,
    pub rounds: usize,
    /// Tasks of the latency scenario.
    pub samples: usize,
    /// Starts of the service on the large database.
    pub starts: usize,
    /// Rows of the large database.
    pub finished_rows: u64,
    pub pending_rows: u64,
    /// Tasks that may not start.
    pub waiting_rows: u64,
    pub binary: PathBuf,
    /// Parent of the temporary folders.
    pub folder: PathBuf,
    /// Where seeded databases are kept between runs.
    pub cache: PathBuf,
    pub json: Option<PathBuf>,
}

impl Options {
    pub fn plan(self) -> Plan {
        let full = Plan {
            scenarios: self.chosen(),
            duration: self.seconds.unwrap_or(Duration::from_secs(3)),
            warm_up: Duration::from_secs(1),
            rounds: self.rounds.unwrap_or(3),
            samples: 1000,
            starts: 9,
            finished_rows: 1_000_000,
            pending_rows: 100_000,
            waiting_rows: 999_999,
            cache: cache_beside(&self.folder),
            binary: self.service,
            folder: self.folder,
            json: self.json,
        };
        if !self.quick {
            return full;
        }
        Plan {
            duration: self.seconds.unwrap_or(Duration::from_millis(500)),
            warm_up: Duration::from_millis(200),
            rounds: self.rounds.unwrap_or(1),
            samples: 100,
            starts: 3,
            finished_rows: 20_000,
            pending_rows: 2_000,
            waiting_rows: 9_999,
            ..full
        }
    }

    fn chosen(&self) -> Vec<Scenario> {
        if self.only.is_empty() {
            return Scenario::value_variants().to_vec();
        }
        let mut chosen = self.only.clone();
        chosen.sort();
        chosen.dedup();
        chosen
    }
}

/// `target/bench-cache`, beside `target/tmp`.
fn cache_beside(folder: &Path) -> PathBuf {
    folder.with_file_name("bench-cache")
}

/// A length in seconds, bounded so that a typing error is no endless run.
fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a number from 0.1 to 600".into()),
    }
}

/// A number of rounds, bounded for the same reason.
fn rounds(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(rounds) if (1..=100).contains(&rounds) => Ok(rounds),
        _ => Err("expected a number from 1 to 100".into()),
    }
}
