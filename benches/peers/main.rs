//! The service beside other queues that people use, each as durable as it can be.
//!
//! `cargo bench --bench peers` starts the service, BullMQ on a Redis that syncs each answer, beanstalkd that syncs
//! each answer, and ARQ on the same kind of Redis; in turns, on the same disk, each fresh and alone. The load comes
//! from a process of its own: Node for the service, BullMQ and beanstalkd (`load.cjs`), Python for ARQ (`load.py`). Everything listens on free ports of loopback and lives in temporary folders.

#![expect(
    unreachable_pub,
    reason = "`pub` says what a module offers to its neighbours"
)]

mod compare;
mod load;
mod options;
mod peer;
mod server;
mod tools;

// What all benchmarks need is used from the folder of the first; each leaves something unused.
#[path = "../service/client.rs"]
#[allow(dead_code)]
mod client;
#[path = "../service/disk.rs"]
mod disk;
#[path = "../service/figures.rs"]
#[allow(dead_code)]
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

use crate::options::{Options, Plan};
use crate::peer::Peer;
use crate::report::Report;
use crate::tools::Tools;

/// A benchmark has one answer to an error: stop and say what happened.
pub type Failure = Box<dyn Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Failure>;

/// What every part gets.
pub struct Bench {
    pub plan: Plan,
    pub tools: Tools,
    /// Those that can run here.
    pub peers: Vec<Peer>,
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
            outcome = interrupted() => outcome,
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
    let tools = Tools::default();
    if plan.install {
        tools.install().await?;
    }
    let peers = tools.runnable(&plan.peers)?;
    let bench = Bench { plan, tools, peers };
    let mut report = Report::default();

    describe(&bench).await?;
    for part in &bench.plan.parts {
        compare::measure(&bench, *part, &mut report).await?;
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
    std::fs::create_dir_all(&bench.plan.folder)?;
    println!(
        "{} {}, {} cores shared by everything; 4 KiB write + fdatasync {:.3} ms; {} rounds of {} s, medians\n{}",
        std::env::consts::OS,
        std::env::consts::ARCH,
        std::thread::available_parallelism()?.get(),
        disk::median_sync(&bench.plan.folder).await?.as_secs_f64() * 1000.0,
        bench.plan.rounds,
        bench.plan.duration.as_secs_f64(),
        bench.tools.versions(&bench.peers).await?,
    );
    Ok(())
}

/// Ctrl-C, or the SIGTERM of a person or a CI runner.
async fn interrupted() -> Result<()> {
    #[cfg(unix)]
    {
        let mut terminate =
            tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            outcome = tokio::signal::ctrl_c() => outcome?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Err("interrupted".into())
}
