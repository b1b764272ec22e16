//! One part of the comparison: the service and each peer in turns, each fresh and alone on the machine.

use serde_json::json;

use crate::load::Load;
use crate::meter::Meter;
use crate::options::{Part, Plan};
use crate::peer::Peer;
use crate::report::{Aim, Report};
use crate::rounds::{Latency, Rounds, Sample};
use crate::server::Server;
use crate::{Bench, Result};

/// Requests that are under way at a time, and jobs that a worker runs at a time.
const CALLERS: usize = 64;
/// Load before each measurement that is not counted.
const WARM_UP_SECONDS: f64 = 0.5;

pub async fn measure(bench: &Bench, part: Part, report: &mut Report) -> Result<()> {
    report.section(part.title());
    let each = |peer: &Peer| (*peer, Rounds::new(bench.plan.rounds));
    let mut comparisons: Vec<(Peer, Rounds)> = bench.peers.iter().map(each).collect();
    while comparisons.iter().any(|(_, rounds)| rounds.incomplete()) {
        let service = run(bench, None, part).await?;
        for (peer, rounds) in &mut comparisons {
            rounds.push(run(bench, Some(*peer), part).await?, service);
        }
    }
    report.columns("peer");
    for (peer, rounds) in &comparisons {
        let key = format!("{}.{}", part.key(), peer.name().to_lowercase());
        report.rounds(&key, &format!("beside {}", peer.name()), rounds);
        print_loads(report, &key, rounds);
        if let Some(aim) = aim(part, *peer, rounds) {
            report.aim(aim);
        }
    }
    Ok(())
}

/// What the clients cost, which the rates contain.
fn print_loads(report: &mut Report, key: &str, rounds: &Rounds) {
    let (service, peer) = (rounds.measured_load_micros(), rounds.load_micros());
    println!("    the load itself took {service:.1} µs a task; reference {peer:.1} µs");
    report.record(
        &format!("{key}.load"),
        json!({ "service_us": service, "peer_us": peer }),
    );
}

fn aim(part: Part, peer: Peer, rounds: &Rounds) -> Option<Aim> {
    let (accepts, finished) = ("accepts, of BullMQ's", "end to end, of BullMQ's");
    match (part, peer) {
        (Part::Accept, Peer::Bullmq) => Some(Aim::at_least(accepts, 1.5, rounds.ratio())),
        (Part::Finish, Peer::Bullmq) => Some(Aim::at_least(finished, 4.0, rounds.ratio())),
        (Part::Idle, Peer::Beanstalkd) => Some(Aim::at_least(
            "idle: beanstalkd's p50, of the service's",
            1.0,
            rounds.ratio(),
        )),
        _ => None,
    }
}

/// One measurement of the service, if `peer` is none, or of a peer.
async fn run(bench: &Bench, peer: Option<Peer>, part: Part) -> Result<Sample> {
    let (plan, tools) = (&bench.plan, &bench.tools);
    let server = match peer {
        Some(peer) => Server::peer(plan, peer).await?,
        None => Server::service(plan, part).await?,
    };
    let port = server.port();
    let worker = match peer.filter(|peer| peer.needs_worker(part)) {
        Some(_) => {
            Some(Load::start(tools, peer, port, &["work".to_owned(), CALLERS.to_string()]).await?)
        }
        None => None,
    };
    let mut load = Load::start(tools, peer, port, &words(plan, part)).await?;

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
