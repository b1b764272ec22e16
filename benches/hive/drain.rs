//! (h1), (h2) A queue full of jobs that do nothing, drained by one worker.
//!
//! Python's client fills the queue before the worker starts, and the clock runs from the first job that has left
//! it, so neither the client nor the start of a program counts.

use crate::arq::Setup;
use crate::meter::Meter;
use crate::process::Process;
use crate::report::{Aim, Report, thousands};
use crate::rounds::{Rounds, Sample};
use crate::worker::Worker;
use crate::{Bench, Result};

/// How ARQ's worker is tried; the first is its default, the fastest is what ours is compared with.
const SETUPS: [Setup; 5] = [
    setup(10, 0.5),
    setup(100, 0.5),
    setup(10, 0.01),
    setup(100, 0.01),
    setup(1000, 0.01),
];
/// Jobs that our worker runs at a time; the first is its default.
const MAX_JOBS: [u32; 2] = [10, 100];

const fn setup(max_jobs: u32, poll_delay: f64) -> Setup {
    Setup {
        max_jobs,
        poll_delay,
    }
}

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let best = fastest_setup(bench, report).await?;
    report.section("(h2) the same jobs, drained by one `venom hive worker`");
    report.columns("arq");
    for max_jobs in MAX_JOBS {
        let mut rounds = Rounds::new(bench.plan.rounds);
        while rounds.incomplete() {
            let arq = drain_by_arq(bench, best, bench.plan.jobs).await?;
            rounds.push(arq, drain_by_ours(bench, max_jobs).await?);
        }
        let key = format!("h2.{max_jobs}");
        report.rounds(&key, &format!("--max-jobs {max_jobs}"), &rounds);
        report.aim(Aim::at_least(
            match max_jobs {
                10 => "(h2) our worker, --max-jobs 10, of arq at its best",
                _ => "(h2) our worker, --max-jobs 100, of arq at its best",
            },
            10.0,
            rounds.ratio(),
        ));
    }
    Ok(())
}

/// The setup with which ARQ's worker is fastest here.
async fn fastest_setup(bench: &Bench, report: &mut Report) -> Result<Setup> {
    report.section("(h1) jobs of Python's client, drained by one ARQ worker");
    let mut best = (SETUPS[0], 0.0);
    for setup in SETUPS {
        // Enough to choose by; the rounds measure with all.
        let sample = drain_by_arq(bench, setup, bench.plan.jobs.div_ceil(5)).await?;
        let name = format!(
            "max_jobs {}, poll_delay {}",
            setup.max_jobs, setup.poll_delay
        );
        println!(
            "  {name:<30}{:>9}/s, {:.0} µs of its processor time each",
            thousands(sample.rate),
            sample.micros.unwrap_or(f64::NAN),
        );
        report.record(&format!("h1.{name}"), sample.rate.into());
        if sample.rate > best.1 {
            best = (setup, sample.rate);
        }
    }
    Ok(best.0)
}

async fn drain_by_arq(bench: &Bench, setup: Setup, jobs: u64) -> Result<Sample> {
    fill(bench, jobs).await?;
    let worker = bench.arq.worker(setup)?;
    drain(bench, &worker, jobs).await
}

async fn drain_by_ours(bench: &Bench, max_jobs: u32) -> Result<Sample> {
    fill(bench, bench.plan.jobs).await?;
    let worker = Worker::start(bench, max_jobs)?;
    drain(bench, worker.process(), bench.plan.jobs).await
}

async fn fill(bench: &Bench, jobs: u64) -> Result<()> {
    bench.redis.empty().await?;
    bench.arq.enqueue(jobs).await?;
    match bench.redis.queued().await? {
        queued if queued == jobs => Ok(()),
        queued => Err(format!("{queued} of {jobs} jobs are in the queue").into()),
    }
}

/// The rate at which this worker empties the queue.
async fn drain(bench: &Bench, worker: &Process, jobs: u64) -> Result<Sample> {
    let (left, start) = bench.redis.until(|length| length < jobs).await?;
    let meter = Meter::start(worker, vec![bench.redis.process()]);
    let (_, end) = bench.redis.until(|length| length == 0).await?;
    let rate = left as f64 / (end - start).as_secs_f64();
    let sample = meter.sample(rate, left);
    expect_results(bench, jobs).await?;
    Ok(sample)
}

/// Fails unless there are as many results as there were jobs, and nothing else of them.
async fn expect_results(bench: &Bench, jobs: u64) -> Result<()> {
    let keys: Vec<String> = bench.redis.ask(::redis::cmd("KEYS").arg("arq:*")).await?;
    let results = keys.iter().filter(|key| key.starts_with("arq:result:"));
    match (results.count() as u64, keys.len() as u64) {
        (results, all) if results == jobs && all == jobs => Ok(()),
        (results, all) => {
            Err(format!("{jobs} jobs left {results} results among {all} keys").into())
        }
    }
}
