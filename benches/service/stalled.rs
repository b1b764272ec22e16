//! (h) How long other submissions wait while a batch of 10,000 tasks is stored in one transaction.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Method;
use serde::de::IgnoredAny;

use crate::crew::Crew;
use crate::figures::median;
use crate::report::{Aim, Report};
use crate::service::{Home, Service};
use crate::{Bench, Result};

const TASKS: usize = 10_000;
const CONNECTIONS: usize = 8;

/// One load: the longest that a submission waited, without and with a batch, and how long the batch took.
struct Stall {
    without_ms: f64,
    with_ms: f64,
    batch_ms: f64,
}

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section(
        "(h) the longest delay of others during a batch of 10,000, queue paused, 8 connections",
    );
    let mut stalls = Vec::new();
    for _ in 0..bench.plan.rounds {
        stalls.push(stall(bench).await?);
    }
    let middle = |figure: fn(&Stall) -> f64| median(stalls.iter().map(figure));
    let (without, with) = (middle(|it| it.without_ms), middle(|it| it.with_ms));
    let batch = middle(|it| it.batch_ms);
    println!("  with a batch {with:.0} ms, without {without:.0} ms; the batch took {batch:.0} ms");
    report.record(
        "h",
        serde_json::json!({ "with_ms": with, "without_ms": without, "batch_ms": batch }),
    );
    report.aim(Aim::below(
        "(h) longest delay of others, batch of 10,000 (s)",
        0.1,
        Some(with / 1000.0),
    ));
    Ok(())
}

async fn stall(bench: &Bench) -> Result<Stall> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, &[]).await?;
    service.pause().await?;
    let mut crew = Crew::connect(service.target(), CONNECTIONS).await?;
    crew.submit_for(bench.plan.warm_up).await?;
    let without = crew.submit_for(bench.plan.duration).await?;
    let (with, batch) = tokio::try_join!(
        crew.submit_for(bench.plan.duration),
        submit_batch(&service, bench.plan.duration / 4),
    )?;
    service.kill().await?;
    Ok(Stall {
        without_ms: without.worst_ms(),
        with_ms: with.worst_ms(),
        batch_ms: batch.as_secs_f64() * 1000.0,
    })
}

/// Submits a batch after `delay` and returns how long it took.
async fn submit_batch(service: &Service, delay: Duration) -> Result<Duration> {
    let tasks = vec![r#"{"content":"one of many"}"#; TASKS].join(",");
    let body = Bytes::from(format!(r#"{{"tasks":[{tasks}]}}"#));
    let mut control = service.control().await?;
    tokio::time::sleep(delay).await;
    let start = Instant::now();
    let IgnoredAny = control
        .call(Method::POST, "/api/v1/tasks/batch", body)
        .await?;
    Ok(start.elapsed())
}
