//! How fast the service is, as numbers and as ratios to a bare axum JSON echo of the same run.
//!
//! `cargo bench --bench service` starts the echo and the real binary `venom` as child processes
//! on loopback, loads both from this process over keep-alive connections, and speaks to the
//! service through HTTP and WebSocket only (SQLite is opened read-only afterwards, to check that
//! everything counted is on disk). Absolute rates say as much about the machine as about the
//! service; the ratios are what to compare, and every ratio pairs two measurements made right
//! after each other.
//!
//! Settings of the service can be tried from outside, since it inherits the environment:
//! `VENOM_DURABILITY=normal cargo bench --bench service -- --only a`.

#![expect(
    unreachable_pub,
    reason = "`pub` says what a module offers to its neighbours"
)]

mod accepts;
mod asking;
mod client;
mod crew;
mod crowd;
mod database;
mod disk;
mod echo;
mod everything;
mod figures;
mod finishes;
mod latency;
mod listened;
mod listeners;
mod meter;
mod options;
mod process;
mod profile;
mod report;
mod rounds;
mod seed;
mod seeded;
mod service;
mod stalled;
mod syscalls;
mod wal;

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use crate::echo::Echo;
use crate::options::{Options, Plan, Scenario};
use crate::report::{Aim, Report};
use crate::service::{Home, Service};

/// A benchmark has one answer to an error: stop and say what happened.
pub type Failure = Box<dyn Error + Send + Sync>;
pub type Result<T> = std::result::Result<T, Failure>;

/// What every scenario gets: the plan and the running reference.
pub struct Bench {
    pub plan: Plan,
    pub echo: Echo,
}

fn main() -> ExitCode {
    let options = Options::parse();
    if cfg!(debug_assertions) && !options.echo_server {
        // `cargo test --all-targets` comes here too.
        eprintln!("this build is not optimised, nothing is measured; run `cargo bench`");
        return ExitCode::SUCCESS;
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let outcome = runtime.block_on(async {
        if options.echo_server {
            return echo::serve().await;
        }
        // Whichever ends first drops the other: children are killed and folders removed by
        // their owners' `Drop`.
        tokio::select! {
            outcome = run(options.plan()) => outcome,
            outcome = interrupted() => outcome,
        }
    });
    // A copy of a large file may still run on a blocking thread; nobody waits for it.
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

/// Runs the chosen scenarios one after the other and prints the aims last.
async fn run(plan: Plan) -> Result<()> {
    let echo = Echo::start(&plan).await?;
    let bench = Bench { plan, echo };
    let mut report = Report::default();

    describe(&bench, &mut report).await?;
    measure_idle(&bench, &mut report).await?;
    for scenario in bench.plan.scenarios.clone() {
        match scenario {
            Scenario::A => accepts::measure(&bench, &mut report).await?,
            Scenario::B => finishes::measure(&bench, &mut report).await?,
            Scenario::C => latency::measure(&bench, &mut report).await?,
            Scenario::D => seeded::measure(&bench, &mut report).await?,
            Scenario::E => listened::measure(&bench, &mut report).await?,
            Scenario::F => crowd::measure(&bench, &mut report).await?,
            Scenario::G => asking::measure(&bench, &mut report).await?,
            Scenario::H => stalled::measure(&bench, &mut report).await?,
            Scenario::I => everything::measure(&bench, &mut report).await?,
        }
    }
    report.print_aims();
    report.print_doubts();
    if let Some(path) = &bench.plan.json {
        report.write_json(path)?;
    }
    Ok(())
}

/// The heading: what the numbers below were measured on.
async fn describe(bench: &Bench, report: &mut Report) -> Result<()> {
    let cores = std::thread::available_parallelism()?.get();
    let sync = disk::median_sync(&bench.plan.folder).await?;
    let (seconds, rounds) = (bench.plan.duration.as_secs_f64(), bench.plan.rounds);
    println!(
        "{} {}, {cores} cores shared with the load; 4 KiB write + fdatasync {:.3} ms; \
         {rounds} rounds of {seconds} s, medians",
        std::env::consts::OS,
        std::env::consts::ARCH,
        sync.as_secs_f64() * 1000.0,
    );
    report.record(
        "machine",
        serde_json::json!({ "cores": cores, "sync_ms": sync.as_secs_f64() * 1000.0,
                            "seconds": seconds, "rounds": rounds }),
    );
    Ok(())
}

/// Start-up and memory of a service with an empty database that nobody talks to.
async fn measure_idle(bench: &Bench, report: &mut Report) -> Result<()> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, &[]).await?;
    let first_answer_ms = service.first_answer.as_secs_f64() * 1000.0;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let memory = service.memory();
    report.section("idle, empty database");
    println!("  start to first answer {first_answer_ms:.1} ms");
    report.memory("idle", memory);
    report.record("idle.first_answer_ms", first_answer_ms.into());
    report.aim(Aim::below(
        "memory, idle (MiB)",
        25.0,
        memory.map(|memory| memory.resident_mib),
    ));
    service.kill().await
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
