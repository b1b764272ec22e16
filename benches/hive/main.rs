//! How fast the Hive is, as numbers and as ratios to ARQ's own worker of the same run.
//!
//! `cargo bench --bench hive` starts a `redis-server` of its own, which keeps nothing on disk, ARQ's worker from
//! PyPI, `venom hive worker` and `venom serve` as child processes. Jobs do nothing, so what is measured is what
//! it costs to take one and to bring its result back. Absolute rates say as much about the machine as about the
//! programs; the ratios are what to compare, and every ratio pairs two measurements made right after each other.

#![expect(
    unreachable_pub,
    reason = "`pub` says what a module offers to its neighbours"
)]

mod arq;
mod drain;
mod flight;
mod idle;
mod options;
mod redis;
mod through;
mod worker;

// What both benchmarks need is used from the other's folder; each leaves something unused.
#[path = "../service/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../service/database.rs"]
#[allow(dead_code)]
mod database;
#[path = "../service/figures.rs"]
mod figures;
#[path = "../service/meter.rs"]
#[allow(dead_code)]
mod meter;
#[path = "../service/process.rs"]
#[allow(dead_code)]
mod process;
#[path = "../service/report.rs"]
#[allow(dead_code)]
mod report;
#[path = "../service/rounds.rs"]
#[allow(dead_code)]
mod rounds;
#[path = "../service/service.rs"]
#[allow(dead_code)]
mod service;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use crate::arq::Arq;
use crate::options::{Options, Part, Plan};
use crate::redis::Redis;
use crate::report::Report;

/// A benchmark has one answer to an error: stop and say what happened.
pub type Failure = Box<dyn Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Failure>;

/// The queue that all jobs go through: the service's own for tasks without a priority.
pub const QUEUE: &str = "venom:tasks:background";

/// What every part gets.
pub struct Bench {
    pub plan: Plan,
    pub redis: Redis,
    pub arq: Arq,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if cfg!(debug_assertions) {
        // `cargo test --all-targets` comes here too.
        eprintln!("this build is not optimised, nothing is measured; run `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let outcome = runtime.block_on(async {
        // Whichever ends first drops the other: children are killed and folders removed by their owners' `Drop`.
        tokio::select! {
            outcome = run(options.plan()) => outcome,
            interrupted = tokio::signal::ctrl_c() => Err(match interrupted {
                Ok(()) => "interrupted".into(),
                Err(error) => error.into(),
            }),
        }
    });
    runtime.shutdown_background();
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => fail(&failure),
    }
}

fn fail(failure: &Failure) -> ExitCode {
    eprintln!("benchmark failed: {failure}");
    ExitCode::FAILURE
}

/// Runs the chosen parts one after the other and prints the aims last.
async fn run(plan: Plan) -> Result<()> {
    let redis = Redis::start(&plan).await?;
    let arq = Arq::find(&redis)?;
    let bench = Bench { plan, redis, arq };
    let mut report = Report::default();

    describe(&bench).await?;
    let drains = [Part::H1, Part::H2];
    if drains.iter().any(|part| bench.plan.has(*part)) {
        drain::measure(&bench, &mut report).await?;
    }
    if bench.plan.has(Part::H3) || bench.plan.has(Part::H4) {
        through::measure(&bench, &mut report).await?;
    }
    if bench.plan.has(Part::H5) {
        idle::measure(&bench, &mut report).await?;
    }
    if bench.plan.has(Part::H6) {
        flight::measure(&bench, &mut report).await?;
    }
    report.print_aims();
    report.print_doubts();
    if let Some(path) = &bench.plan.json {
        report.write_json(path)?;
    }
    Ok(())
}

/// The heading: what the numbers below were measured on.
async fn describe(bench: &Bench) -> Result<()> {
    println!(
        "{} {}, {} cores shared by everything; Redis {}, {}; {} jobs, {} rounds, medians",
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::thread::available_parallelism()?.get(),
        bench.redis.version().await?,
        bench.arq.versions().await?,
        bench.plan.jobs,
        bench.plan.rounds,
    );
    Ok(())
}
