//! The command line of the benchmark, and the plan that follows from it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use crate::peer::{Client, Peer};

/// Measures the service beside BullMQ, beanstalkd and ARQ.
#[derive(Parser)]
#[command(bin_name = "cargo bench --bench peers --")]
pub struct Options {
    /// Install what is missing first: Debian's packages, and npm's and PyPI's under `target`.
    #[arg(long)]
    install: bool,
    /// Only these parts, such as `accept,idle`.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Part>,
    /// Only these peers, such as `bullmq`.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PEER")]
    peers: Vec<Peer>,
    /// Only these clients of the service, such as `undici`.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CLIENT")]
    clients: Vec<Client>,
    /// Length of one measurement, from 1 to 600.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=600))]
    seconds: u64,
    /// Measurements of each kind, in turns. Those that something else on the machine disturbed are repeated, up to
    /// twice each.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=100))]
    rounds: u64,
    /// Write all figures to this file as well.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Measure this build of `venom` instead of the one of this checkout.
    #[arg(long, value_name = "FILE", default_value = env!("CARGO_BIN_EXE_venom"),
          hide_default_value = true)]
    service: PathBuf,
    /// Put the files of all servers here instead of `target/tmp`; it should be a disk whose syncs are real, so not a
    /// tmpfs.
    #[arg(long, value_name = "DIR", default_value = env!("CARGO_TARGET_TMPDIR"),
          hide_default_value = true)]
    folder: PathBuf,
    /// What `cargo bench` adds to every benchmark's arguments.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Part {
    /// durable enqueues, each answered, with no worker
    Accept,
    /// enqueued, run and completed, until the queue is empty
    Finish,
    /// one job after the other, from before the enqueue to its completion
    Idle,
}

impl Part {
    /// The verb of the load, and the start of the figures' keys.
    pub fn key(self) -> &'static str {
        match self {
            Self::Accept => "accept",
            Self::Finish => "finish",
            Self::Idle => "idle",
        }
    }

    pub fn title(self) -> &'static str {
        match self {
            Self::Accept => "durable enqueues, each answered, 64 at a time",
            Self::Finish => "enqueued, run and completed, 64 at a time, until the queue is empty",
            Self::Idle => {
                "idle: one job after the other until it is completed; the rate is 1 / p50"
            }
        }
    }
}

/// What to measure, for how long, with what.
pub struct Plan {
    pub install: bool,
    pub parts: Vec<Part>,
    pub peers: Vec<Peer>,
    pub clients: Vec<Client>,
    pub duration: Duration,
    pub rounds: usize,
    /// Jobs of one measurement of `Idle`.
    pub samples: usize,
    pub binary: PathBuf,
    /// Parent of the temporary folders.
    pub folder: PathBuf,
    pub json: Option<PathBuf>,
}

impl Options {
    pub fn plan(self) -> Plan {
        Plan {
            install: self.install,
            parts: chosen(self.only),
            peers: chosen(self.peers),
            clients: chosen(self.clients),
            duration: Duration::from_secs(self.seconds),
            rounds: self.rounds as usize,
            samples: 300,
            binary: self.service,
            folder: self.folder,
            json: self.json,
        }
    }
}

/// These, or all if there are none.
fn chosen<T: ValueEnum + Clone + Ord>(mut only: Vec<T>) -> Vec<T> {
    if only.is_empty() {
        only = T::value_variants().to_vec();
    }
    only.sort();
    only.dedup();
    only
}
