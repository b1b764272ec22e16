//! (a) Durable accepts: the queue is paused, each 201 means a row on disk, nothing runs.

use crate::crew::Crew;
use crate::report::{Aim, Report};
use crate::rounds::{Rounds, Sample};
use crate::service::{Home, QueueStatus, Service};
use crate::{Bench, Result, database, profile};

/// A paused queue keeps what it has.
const ANY: QueueStatus = QueueStatus {
    pending: u64::MAX,
    processing: u64::MAX,
};

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(a) durable accepts, queue paused");
    report.columns("echo");
    let mut load_micros = (f64::NAN, f64::NAN);
    for connections in [1, 64, 256] {
        let mut rounds = Rounds::new(bench.plan.rounds);
        while rounds.incomplete() {
            let echo = bench.echo.measure(&bench.plan, connections).await?;
            let home = Home::empty(&bench.plan)?;
            rounds.push(echo, accept(bench, home, connections, 0).await?);
        }
        report.rounds(
            &format!("a.{connections}"),
            &format!("{connections} connections"),
            &rounds,
        );
        if connections == 64 {
            load_micros = (rounds.load_micros(), rounds.measured_load_micros());
            report.aim(Aim::at_least(
                "(a) accepts, 64 connections, of echo",
                0.60,
                rounds.ratio(),
            ));
            let tail = rounds.latency().map(|it| it.p99_ms / it.p50_ms);
            report.aim(Aim::below("(a) p99 of an accept, of p50", 4.0, tail));
            let service = paused(bench, Home::empty(&bench.plan)?).await?;
            profile::measure(bench, report, "a.64", &service, ANY).await?;
            service.kill().await?;
        }
    }
    println!(
        "  the load generator itself took {:.1} µs for each request to the echo at 64, {:.1} µs to the service",
        load_micros.0, load_micros.1
    );
    report.record("load_us", load_micros.0.into());
    Ok(())
}

/// The rate of accepts by a service started for it in `home`, whose database has `seeded` rows.
pub async fn accept(bench: &Bench, home: Home, connections: usize, seeded: u64) -> Result<Sample> {
    let service = paused(bench, home).await?;
    let mut crew = Crew::connect(service.target(), connections).await?;
    let warm_up = crew.submit_for(bench.plan.warm_up).await?;
    let meter = service.meter();
    let tally = crew.submit_for(bench.plan.duration).await?;
    let sample = meter
        .sample(tally.rate(), tally.answered)
        .with_latency(tally.latency());
    let accepted = seeded + warm_up.answered + tally.answered;
    database::expect_rows(&service.database(), accepted).await?;
    service.kill().await?;
    Ok(sample)
}

async fn paused(bench: &Bench, home: Home) -> Result<Service> {
    let service = Service::start(&bench.plan, home, &[]).await?;
    service.pause().await?;
    Ok(service)
}
