//! (d) Accepts and whole lives again, on a database that is full already, and starts on it.
//!
//! Each round measures the empty and the full database one after the other, on fresh copies.

use std::time::{Duration, Instant};

use crate::figures::median;
use crate::process::Memory;
use crate::report::{Aim, Report};
use crate::rounds::{Rounds, Sample};
use crate::seed::{NO_DUMP, Seed};
use crate::service::{Home, LIMITS_OFF, QueueStatus, Service};
use crate::{Bench, Result, accepts, finishes};

const CONNECTIONS: usize = 64;
const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(d) (a) and (b) on a full database, 64 connections");
    let seed = Seed::prepare(&bench.plan).await?;
    measure_starts(bench, &seed, report).await?;

    let mut accepted = Rounds::new(bench.plan.rounds);
    while accepted.incomplete() {
        let (empty, full) = accept_pair(bench, &seed).await?;
        accepted.push(empty, full);
    }
    let (mut finished, mut memory) = (Rounds::new(bench.plan.rounds), None);
    while finished.incomplete() {
        let (empty, full, at_most) = finish_pair(bench, &seed).await?;
        finished.push(empty, full);
        memory = finishes::larger(memory, at_most);
    }
    report.columns("empty");
    report.rounds("d.accepts", "accepts, queue paused", &accepted);
    report.rounds("d.finishes", "finished", &finished);
    report.memory("d", memory);
    report.aim(Aim::at_least(
        "(d) accepts, full database, of empty",
        0.90,
        accepted.ratio(),
    ));
    report.aim(Aim::at_least(
        "(d) finished, full database, of empty",
        0.90,
        finished.ratio(),
    ));
    report.aim(Aim::below(
        "memory, peak in (d) (MiB)",
        120.0,
        memory.map(|it| it.peak_mib),
    ));
    Ok(())
}

/// From the spawn to the first answer, several times, with a clean stop between.
async fn measure_starts(bench: &Bench, seed: &Seed, report: &mut Report) -> Result<()> {
    let mut home = seed.copy(&bench.plan).await?;
    let mut times = Vec::with_capacity(bench.plan.starts);
    let mut memory = None;
    for _ in 0..bench.plan.starts {
        let service = Service::start(&bench.plan, home, NO_DUMP).await?;
        times.push(service.first_answer.as_secs_f64() * 1000.0);
        memory = service.memory();
        home = service.stop().await?;
    }
    let middle = median(times.iter().copied());
    let slowest = times.iter().copied().fold(0.0, f64::max);
    println!("  start to first answer {middle:.1} ms, slowest {slowest:.1} ms");
    report.memory("d.started", memory);
    report.record("d.first_answer_ms", middle.into());
    report.aim(Aim::below(
        "(d) start to first answer, full database (ms)",
        100.0,
        Some(middle),
    ));
    Ok(())
}

async fn accept_pair(bench: &Bench, seed: &Seed) -> Result<(Sample, Sample)> {
    let empty = accepts::accept(bench, Home::empty(&bench.plan)?, CONNECTIONS, 0).await?;
    let rows = bench.plan.finished_rows + bench.plan.pending_rows;
    let home = seed.copy(&bench.plan).await?;
    Ok((
        empty,
        accepts::accept(bench, home, CONNECTIONS, rows).await?,
    ))
}

async fn finish_pair(bench: &Bench, seed: &Seed) -> Result<(Sample, Sample, Option<Memory>)> {
    let home = Home::empty(&bench.plan)?;
    let service = Service::start(&bench.plan, home, LIMITS_OFF).await?;
    let empty = finishes::finish(bench, &service, CONNECTIONS, EMPTY, 0).await?;
    service.kill().await?;

    let home = seed.copy(&bench.plan).await?;
    let service = Service::start(&bench.plan, home, LIMITS_OFF).await?;
    let floor = occupied(&service).await?;
    let finished = bench.plan.finished_rows;
    let full = finishes::finish(bench, &service, CONNECTIONS, floor, finished).await?;
    let memory = service.memory();
    service.kill().await?;
    Ok((empty, full, memory))
}

/// Resumes the queue and waits until one pending task runs and keeps the others from it.
pub async fn occupied(service: &Service) -> Result<QueueStatus> {
    service.resume().await?;
    let patience = Instant::now() + Duration::from_secs(10);
    while Instant::now() < patience {
        let status = service.queue_status().await?;
        if status.processing == 1 {
            return Ok(status);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Err("no task of the full database was started".into())
}
