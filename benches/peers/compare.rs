//! One part of the comparison: the service and each peer in turns, each fresh and alone on the machine.

use std::collections::BTreeMap;

use serde_json::json;

use crate::load::Load;
use crate::meter::Meter;
use crate::options::{Part, Plan};
use crate::peer::{Client, Contender, Peer};
use crate::report::{Aim, Report};
use crate::rounds::{Latency, Rounds, Sample};
use crate::server::Server;
use crate::{Bench, Result};

/// Requests that are under way at a time, and jobs that a worker runs at a time.
const CALLERS: usize = 64;
/// Load before each measurement that is not counted.
const WARM_UP_SECONDS: f64 = 0.5;

/// The service by this client beside this peer.
struct Comparison {
    client: Client,
    peer: Peer,
    rounds: Rounds,
}

pub async fn measure(bench: &Bench, part: Part, report: &mut Report) -> Result<()> {
    let mut comparisons = Vec::new();
    for client in &bench.plan.clients {
        comparisons.extend(bench.peers.iter().map(|peer| Comparison {
            client: *client,
            peer: *peer,
            rounds: Rounds::new(bench.plan.rounds),
        }));
    }
    while comparisons.iter().any(|it| it.rounds.incomplete()) {
        take_turns(bench, part, &mut comparisons).await?;
    }
    report.section(part.title());
    for client in &bench.plan.clients {
        println!("  the service by {}", client.name());
        report.columns("peer");
        for comparison in comparisons.iter().filter(|it| it.client == *client) {
            comparison.report(part, report);
        }
    }
    Ok(())
}

/// Measures each once, and so makes a pair for each comparison.
async fn take_turns(bench: &Bench, part: Part, comparisons: &mut [Comparison]) -> Result<()> {
    let (mut services, mut peers) = (BTreeMap::new(), BTreeMap::new());
    for client in &bench.plan.clients {
        services.insert(
            *client,
            run(bench, Contender::Service(*client), part).await?,
        );
    }
    for peer in &bench.peers {
        peers.insert(*peer, run(bench, Contender::Peer(*peer), part).await?);
    }
    for Comparison {
        client,
        peer,
        rounds,
    } in comparisons
    {
        rounds.push(peers[peer], services[client]);
    }
    Ok(())
}

impl Comparison {
    fn report(&self, part: Part, report: &mut Report) {
        let (client, peer) = (self.client.name(), self.peer.name());
        let key = format!("{}.{client}.{}", part.key(), peer.to_lowercase());
        report.rounds(&key, &format!("beside {peer}"), &self.rounds);
        // The rates contain what the clients cost.
        let (ours, theirs) = (
            self.rounds.measured_load_micros(),
            self.rounds.load_micros(),
        );
        println!("    the load itself took {ours:.1} µs a task; reference {theirs:.1} µs");
        report.record(
            &format!("{key}.load"),
            json!({ "service_us": ours, "peer_us": theirs }),
        );
        if let Some((what, bound)) = aim(part, self.peer) {
            let what = format!("{what} ({client})");
            report.aim(Aim::at_least(what, bound, self.rounds.ratio()));
        }
    }
}

fn aim(part: Part, peer: Peer) -> Option<(&'static str, f64)> {
    match (part, peer) {
        (Part::Accept, Peer::Bullmq) => Some(("accepts, of BullMQ's", 1.5)),
        (Part::Finish, Peer::Bullmq) => Some(("end to end, of BullMQ's", 4.0)),
        (Part::Idle, Peer::Beanstalkd) => Some(("idle: beanstalkd's p50, of the service's", 1.0)),
        _ => None,
    }
}

/// One measurement, of a fresh server.
async fn run(bench: &Bench, contender: Contender, part: Part) -> Result<Sample> {
    let (plan, tools) = (&bench.plan, &bench.tools);
    let server = Server::start(plan, contender, part).await?;
    let port = server.port();
    let worker = match contender.needs_worker(part) {
        true => {
            let words = ["work".to_owned(), CALLERS.to_string()];
            Some(Load::start(tools, contender, port, &words).await?)
        }
        false => None,
    };
    let mut load = Load::start(tools, contender, port, &words(plan, part)).await?;

    let beside = [Some(&load.process), worker.as_ref().map(|it| &it.process)];
    let meter = Meter::start(server.process(), beside.into_iter().flatten().collect());
    let figures = load.pipes.run().await?;
    let rate = match part {
        Part::Accept | Part::Finish => figures.answered as f64 / figures.seconds,
        Part::Idle => 1000.0 / figures.p50_ms,
    };
    let latency = Latency {
        p50_ms: figures.p50_ms,
        p99_ms: figures.p99_ms,
    };
    Ok(Sample {
        load_micros: Some(figures.cpu_us / figures.answered as f64),
        ..meter.sample(rate, figures.answered).with_latency(latency)
    })
}

/// The verb of the load and its numbers.
fn words(plan: &Plan, part: Part) -> Vec<String> {
    let seconds = plan.duration.as_secs_f64();
    match part {
        Part::Idle => vec!["idle".to_owned(), plan.samples.to_string()],
        Part::Accept | Part::Finish => vec![
            part.key().to_owned(),
            CALLERS.to_string(),
            seconds.to_string(),
            WARM_UP_SECONDS.to_string(),
        ],
    }
}
