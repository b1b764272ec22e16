//! The command line of the benchmark, and the plan that follows from it.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Measures the Hive against ARQ's own worker, on a Redis of its own.
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench hive --")]
pub struct Options {
    /// A smoke run: 1,000 jobs, one round, 2,000 tasks in flight. Its numbers mean little.
    #[arg(long)]
    quick: bool,
    /// Only these parts, such as `h1,h2`. h1 and h2 go together, and so do h3 and h4.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Jobs of each measurement of a rate [default: 10000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    jobs: Option<u64>,
    /// Measurements of each kind, alternating with their reference [default: 3]. Those that something else on
    /// the machine disturbed are repeated, up to twice each.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: Option<u64>,
    /// Tasks that are out at a time in h6 [default: 100000]
    #[arg(long, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    in_flight: Option<u64>,
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
    /// What `cargo bench` adds to every benchmark's arguments.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// jobs of Python's client, drained by an ARQ worker
    H1,
    /// the same, drained by `venom hive worker`
    H2,
    /// the service's tasks, run by an ARQ worker
    H3,
    /// the same, run by `venom hive worker`
    H4,
    /// from enqueue to start on an idle queue
    H5,
    /// many tasks in flight through one service
    H6,
}

/// What to measure, with what.
pub struct Plan {
    parts: Vec<Part>,
    pub jobs: u64,
    pub rounds: usize,
    pub in_flight: u64,
    /// Jobs of the idle queue.
    pub samples: usize,
    pub binary: PathBuf,
    /// Parent of the temporary folders.
    pub folder: PathBuf,
    pub json: Option<PathBuf>,
}

impl Options {
    pub fn plan(self) -> Plan {
        let (jobs, rounds, in_flight, samples) = match self.quick {
            true => (1_000, 1, 2_000, 5),
            false => (10_000, 3, 100_000, 60),
        };
        Plan {
            parts: self.only,
            jobs: self.jobs.unwrap_or(jobs),
            rounds: self.rounds.unwrap_or(rounds) as usize,
            in_flight: self.in_flight.unwrap_or(in_flight),
            samples,
            binary: self.service,
            folder: self.folder,
            json: self.json,
        }
    }
}

impl Plan {
    /// Whether this part is to be measured.
    pub fn has(&self, part: Part) -> bool {
        self.parts.is_empty() || self.parts.contains(&part)
    }
}
