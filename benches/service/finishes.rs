//! (b) The whole life of a task: accepted, started, completed and logged, each step durable.
//!
//! The clock runs from the first POST until the queue is empty, so a service that accepts faster
//! than it runs tasks gains nothing by it. Connections that wait for results are answered at the end of the task:
//! their times are those from end to end.

use std::time::Instant;

use crate::client::Target;
use crate::crew::Crew;
use crate::process::Memory;
use crate::report::{Aim, Report};
use crate::rounds::{Rounds, Sample};
use crate::service::{Environment, Home, LIMIT_5, LIMITS_OFF, QueueStatus, Service};
use crate::{Bench, Result, database, profile};

const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(b) accepted, started, completed and logged");
    report.columns("echo");
    let mut memory = None;
    for connections in [64, 256] {
        let (rounds, at_most) = compare(bench, connections, Service::target).await?;
        report.rounds(
            &format!("b.{connections}"),
            &format!("{connections} connections"),
            &rounds,
        );
        memory = larger(memory, at_most);
        if connections == 64 {
            report.aim(Aim::at_least(
                "(b) finished, 64 connections, of echo",
                0.40,
                rounds.ratio(),
            ));
            let home = Home::empty(&bench.plan)?;
            let service = Service::start(&bench.plan, home, LIMITS_OFF).await?;
            profile::measure(bench, report, "b.64", &service, EMPTY).await?;
            service.kill().await?;
        }
    }
    let (rounds, at_most) = compare(bench, 64, Service::waiting_target).await?;
    report.rounds("b.wait", "64 that wait for results", &rounds);
    memory = larger(memory, at_most);
    report.memory("b", memory);
    report.aim(Aim::below(
        "memory, peak in (b) (MiB)",
        120.0,
        memory.map(|it| it.peak_mib),
    ));
    measure_slots(bench, report).await
}

/// What the default of 5 slots costs.
async fn measure_slots(bench: &Bench, report: &mut Report) -> Result<()> {
    let mut rounds = Rounds::new(bench.plan.rounds);
    while rounds.incomplete() {
        let unlimited = finish_alone(bench, LIMITS_OFF).await?;
        rounds.push(unlimited, finish_alone(bench, LIMIT_5).await?);
    }
    report.columns("plain");
    report.rounds("b.limit_5", "5 slots, 64 connections", &rounds);
    report.aim(Aim::none(
        "(b) finished with 5 slots, of unlimited",
        rounds.ratio(),
    ));
    Ok(())
}

async fn finish_alone(bench: &Bench, environment: Environment) -> Result<Sample> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, environment).await?;
    let sample = finish(bench, &service, 64, EMPTY, 0).await?;
    service.kill().await?;
    Ok(sample)
}

/// Rounds of echo and service; and the most memory that a service had in one.
async fn compare(
    bench: &Bench,
    connections: usize,
    target: fn(&Service) -> Target,
) -> Result<(Rounds, Option<Memory>)> {
    let mut rounds = Rounds::new(bench.plan.rounds);
    let mut memory = None;
    while rounds.incomplete() {
        let echo = bench.echo.measure(&bench.plan, connections).await?;
        let home = Home::empty(&bench.plan)?;
        let service = Service::start(&bench.plan, home, LIMITS_OFF).await?;
        let crew = Crew::connect(target(&service), connections).await?;
        rounds.push(echo, finish_with(bench, &service, crew, EMPTY, 0).await?);
        memory = larger(memory, service.memory());
        service.kill().await?;
    }
    Ok((rounds, memory))
}

/// The rate at which `service` finishes tasks. `floor` is what its queue holds without the load,
/// `seeded` how many rows are COMPLETED before it.
pub async fn finish(
    bench: &Bench,
    service: &Service,
    connections: usize,
    floor: QueueStatus,
    seeded: u64,
) -> Result<Sample> {
    let crew = Crew::connect(service.target(), connections).await?;
    finish_with(bench, service, crew, floor, seeded).await
}

/// The same, under the load of this crew.
pub async fn finish_with(
    bench: &Bench,
    service: &Service,
    mut crew: Crew,
    floor: QueueStatus,
    seeded: u64,
) -> Result<Sample> {
    let warm_up = crew.submit_for(bench.plan.warm_up).await?;
    service.drained(floor).await?;

    let (start, meter) = (Instant::now(), service.meter());
    let tally = crew.submit_for(bench.plan.duration).await?;
    service.drained(floor).await?;
    let rate = tally.answered as f64 / start.elapsed().as_secs_f64();
    let sample = meter
        .sample(rate, tally.answered)
        .with_latency(tally.latency());

    let completed = seeded + warm_up.answered + tally.answered;
    database::expect_completed(&service.database(), completed).await?;
    Ok(sample)
}

pub fn larger(left: Option<Memory>, right: Option<Memory>) -> Option<Memory> {
    match (left, right) {
        (Some(left), Some(right)) if left.peak_mib > right.peak_mib => Some(left),
        (left, None) => left,
        (_, right) => right,
    }
}
