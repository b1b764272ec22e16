//! (e) The whole life of a task while 100 listeners read every event.

use crate::figures::percentile;
use crate::listeners::Listeners;
use crate::report::{Aim, Report, thousands};
use crate::rounds::{Rounds, Sample};
use crate::service::{Home, LIMITS_OFF, QueueStatus, Service};
use crate::{Bench, Result, database, finishes};

const LISTENERS: usize = 100;
const CONNECTIONS: usize = 64;
const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

/// What the listeners of one round were sent, of how many events.
struct Audience {
    heard: Vec<(u64, u64)>,
    events: u64,
}

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(e) as (b), with listeners on /ws/events");
    report.columns("none");
    let mut rounds = Rounds::new(bench.plan.rounds);
    let mut audiences = Vec::new();
    while rounds.incomplete() {
        let (alone, _) = finish(bench, 0).await?;
        let (listened, audience) = finish(bench, LISTENERS).await?;
        rounds.push(alone, listened);
        audiences.push(audience);
    }
    report.rounds("e", &format!("{LISTENERS} listeners"), &rounds);
    report.aim(Aim::at_least(
        "(e) finished, 100 listeners, of none",
        0.85,
        rounds.ratio(),
    ));
    for audience in &audiences {
        audience.print();
    }
    report.record(
        "e.audiences",
        audiences.iter().map(Audience::json).collect(),
    );
    Ok(())
}

async fn finish(bench: &Bench, listeners: usize) -> Result<(Sample, Audience)> {
    let home = Home::empty(&bench.plan)?;
    let service = Service::start(&bench.plan, home, LIMITS_OFF).await?;
    let listeners = Listeners::connect(service.address, listeners).await?;
    let sample = finishes::finish(bench, &service, CONNECTIONS, EMPTY, 0).await?;
    let heard = listeners.finish().await?;
    let events = database::count_events(&service.database()).await?;
    service.kill().await?;
    Ok((sample, Audience { heard, events }))
}

impl Audience {
    fn print(&self) {
        let (got, missed) = (|it: &(u64, u64)| it.0, |it: &(u64, u64)| it.1);
        println!(
            "  of {} events each listener got {} (fewest {}) and was told of {} missed (most {})",
            thousands(self.events as f64),
            thousands(self.at(got, 0.5)),
            thousands(self.at(got, 0.0)),
            thousands(self.at(missed, 0.5)),
            thousands(self.at(missed, 1.0)),
        );
    }

    fn at(&self, figure: impl Fn(&(u64, u64)) -> u64, share: f64) -> f64 {
        percentile(self.heard.iter().map(|it| figure(it) as f64), share)
    }

    fn json(&self) -> serde_json::Value {
        serde_json::json!({ "events": self.events,
                            "got": self.at(|it| it.0, 0.5), "missed": self.at(|it| it.1, 0.5) })
    }
}
