//! (i) Whole lives with everything on: a full database, 100 listeners, limits, and tasks that ask for all they can.

use std::fs::OpenOptions;
use std::io::Write as _;

use crate::client::Asking;
use crate::crew::Crew;
use crate::listeners::Listeners;
use crate::report::{Aim, Report};
use crate::rounds::{Rounds, Sample};
use crate::seed::Seed;
use crate::service::{Home, LIMITS_OFF, QueueStatus, Service};
use crate::{Bench, Result, finishes, seeded};

const CONNECTIONS: usize = 64;
const LISTENERS: usize = 100;
const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

/// Limits that are kept and never reached.
const SETTINGS: &str = r#"
[processors.echo]
kind = "echo"
rate = "100000/s"

[concurrency_keys."*"]
concurrency = 8
rate = "100000/s"
"#;

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section(
        "(i) everything on: full database, 100 listeners, keys, retries, rates; 64 connections",
    );
    let seed = Seed::prepare(&bench.plan).await?;
    let mut rounds = Rounds::new(bench.plan.rounds);
    while rounds.incomplete() {
        let plain = finish_plain(bench).await?;
        rounds.push(plain, finish_loaded(bench, &seed).await?);
    }
    report.columns("plain");
    report.rounds("i", "everything on", &rounds);
    report.aim(Aim::none(
        "(i) finished with everything on, of plain",
        rounds.ratio(),
    ));
    Ok(())
}

async fn finish_plain(bench: &Bench) -> Result<Sample> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, LIMITS_OFF).await?;
    let sample = finishes::finish(bench, &service, CONNECTIONS, EMPTY, 0).await?;
    service.kill().await?;
    Ok(sample)
}

async fn finish_loaded(bench: &Bench, seed: &Seed) -> Result<Sample> {
    let home = seed.copy(&bench.plan).await?;
    let settings = home.path().join("venom.toml");
    OpenOptions::new()
        .append(true)
        .open(settings)?
        .write_all(SETTINGS.as_bytes())?;
    let service = Service::start(&bench.plan, home, LIMITS_OFF).await?;
    let floor = seeded::occupied(&service).await?;
    let listeners = Listeners::connect(service.address, LISTENERS).await?;
    let crew = Crew::connect(service.target(), CONNECTIONS)
        .await?
        .asking(ask);
    let seeded = bench.plan.finished_rows;
    let sample = finishes::finish_with(bench, &service, crew, floor, seeded).await?;
    listeners.finish().await?;
    service.kill().await?;
    Ok(sample)
}

fn ask(worker: usize, number: u64) -> Asking {
    let keys = format!(r#","concurrency_key":"key {worker}","unique_key":"{worker} {number}""#);
    Asking {
        fields: keys + r#","max_attempts":3,"timeout":60,"tags":["bench"]"#,
        idempotency_key: Some(format!("{worker} {number}")),
    }
}
