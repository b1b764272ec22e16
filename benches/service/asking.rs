//! (g) What it costs when tasks ask for more than to be run: (b) with each feature, against (b) without.

use crate::client::Asking;
use crate::crew::{Ask, Crew};
use crate::finishes;
use crate::report::{Aim, Report};
use crate::rounds::{Rounds, Sample};
use crate::service::{Home, LIMITS_OFF, QueueStatus, Service};
use crate::{Bench, Result};

const CONNECTIONS: usize = 64;
const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

/// Each feature, and what a submission says to use it.
const FEATURES: [(&str, &str, Ask); 5] = [
    ("g.max_attempts", "max_attempts, timeout", |_, _| {
        fields(r#","max_attempts":3,"timeout":60"#.to_owned())
    }),
    ("g.run_at", "run_at, in the past", |_, _| {
        fields(r#","run_at":"2026-01-01T00:00:00Z""#.to_owned())
    }),
    ("g.key", "concurrency_key, 64 of them", |worker, _| {
        fields(format!(r#","concurrency_key":"key {worker}""#))
    }),
    ("g.unique", "unique_key", |worker, number| {
        fields(format!(r#","unique_key":"{worker} {number}""#))
    }),
    ("g.once", "Idempotency-Key", |worker, number| Asking {
        idempotency_key: Some(format!("{worker} {number}")),
        ..Asking::default()
    }),
];

fn fields(fields: String) -> Asking {
    Asking {
        fields,
        ..Asking::default()
    }
}

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(g) tasks that ask for more, 64 connections");
    report.columns("plain");
    for (key, label, ask) in FEATURES {
        let mut rounds = Rounds::new(bench.plan.rounds);
        while rounds.incomplete() {
            let plain = finish(bench, |_, _| Asking::default()).await?;
            rounds.push(plain, finish(bench, ask).await?);
        }
        report.rounds(key, label, &rounds);
        if key == "g.once" {
            report.aim(Aim::none(
                "(g) finished with Idempotency-Key, of plain",
                rounds.ratio(),
            ));
        }
    }
    Ok(())
}

async fn finish(bench: &Bench, ask: Ask) -> Result<Sample> {
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, LIMITS_OFF).await?;
    let crew = Crew::connect(service.target(), CONNECTIONS).await?;
    let crew = crew.asking(ask);
    let sample = finishes::finish_with(bench, &service, crew, EMPTY, 0).await?;
    service.kill().await?;
    Ok(sample)
}
