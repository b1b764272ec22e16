//! (h6) Many tasks in flight through one service: what they cost while they are out, how soon a result that
//! lands among them is COMPLETED, and how fast a worker takes them away.

use std::time::{Duration, Instant};

use serde::Deserialize;

use crate::figures::percentile;
use crate::meter::Meter;
use crate::report::{Report, thousands};
use crate::service::{QueueStatus, Service};
use crate::through::{start_service, submit};
use crate::worker::Worker;
use crate::{Bench, QUEUE, Result, database};

/// Over two looks at all jobs.
const QUIET: Duration = Duration::from_secs(20);
const LANDINGS: isize = 50;
const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    let count = bench.plan.in_flight;
    report.section(&format!(
        "(h6) {} tasks in flight through one service",
        thousands(count as f64)
    ));
    bench.redis.empty().await?;
    // JSON, so that a result can be written here by hand.
    let settings = format!("codec = \"json\"\nconcurrency = {count}\n");
    let service = start_service(bench, &settings).await?;
    send(bench, report, &service).await?;
    stay(bench, report, &service).await?;
    land(bench, report, &service).await?;

    let start = Instant::now();
    let worker = Worker::start(bench, 100)?;
    service.drained(EMPTY).await?;
    let rate = (count - LANDINGS as u64) as f64 / start.elapsed().as_secs_f64();
    println!("  drained by one worker at {}/s", thousands(rate));
    report.record("h6.drain", rate.into());
    database::expect_completed(&service.database(), count).await?;
    drop(worker);
    service.kill().await
}

async fn send(bench: &Bench, report: &mut Report, service: &Service) -> Result<()> {
    let count = bench.plan.in_flight;
    let (before, start) = (service.memory(), Instant::now());
    submit(service, count).await?;
    let accepted = start.elapsed().as_secs_f64();
    let (_, end) = bench.redis.until(|length| length == count).await?;
    let sent = (end - start).as_secs_f64();
    println!("  accepted in {accepted:.1} s, all in Redis after {sent:.1} s");
    report.record("h6.accepted_s", accepted.into());
    report.record("h6.sent_s", sent.into());
    report.memory("h6.idle", before);
    report.memory("h6", service.memory());
    let redis_bytes: f64 = bench.redis.info("memory", "used_memory").await?.parse()?;
    let redis_mib = redis_bytes / f64::from(1 << 20);
    println!("  Redis {redis_mib:.1} MiB");
    report.record("h6.redis_mib", redis_mib.into());
    Ok(())
}

/// Processor time while all are out and nothing happens.
async fn stay(bench: &Bench, report: &mut Report, service: &Service) -> Result<()> {
    let redis = Meter::start(bench.redis.process(), Vec::new());
    let meter = service.meter();
    tokio::time::sleep(QUIET).await;
    let share = |micros: Option<f64>| micros.unwrap_or(f64::NAN) / QUIET.as_micros() as f64 * 100.0;
    let (service, redis) = (
        share(meter.sample(0.0, 1).micros),
        share(redis.sample(0.0, 1).micros),
    );
    println!(
        "  while they are out: the service takes {service:.2} % of a core, Redis {redis:.2} %"
    );
    report.record("h6.cpu_percent", service.into());
    report.record("h6.redis_cpu_percent", redis.into());
    Ok(())
}

/// From a result written by hand to its task's COMPLETED.
async fn land(bench: &Bench, report: &mut Report, service: &Service) -> Result<()> {
    let ids: Vec<String> = bench
        .redis
        .ask(::redis::cmd("ZRANGE").arg(QUEUE).arg(0).arg(LANDINGS - 1))
        .await?;
    let mut times = Vec::new();
    for id in ids {
        times.push(land_one(bench, service, &id).await?.as_secs_f64() * 1000.0);
    }
    let at = |share| percentile(times.iter().copied(), share);
    println!(
        "  from a result to COMPLETED: p50 {:.1} ms, worst {:.1} ms",
        at(0.5),
        at(1.0)
    );
    report.record(
        "h6.landing",
        serde_json::json!({ "p50_ms": at(0.5), "worst_ms": at(1.0) }),
    );
    Ok(())
}

/// As a worker ends a job.
async fn land_one(bench: &Bench, service: &Service, id: &str) -> Result<Duration> {
    #[derive(Deserialize)]
    struct Task {
        status: String,
        content: String,
    }
    let task_id = id.split_once(':').ok_or("not a job of ours")?.0;
    let path = format!("/api/v1/tasks/{task_id}");
    let mut control = service.control().await?;
    let task: Task = control.get(&path).await?;
    let result = serde_json::json!({
        "t": 1, "f": "noop", "a": [], "k": {}, "et": 1, "s": true, "r": format!("Processed: {}", task.content),
        "st": 1, "ft": 2, "q": QUEUE, "id": id,
    });
    bench
        .redis
        .ask::<()>(::redis::cmd("ZREM").arg(QUEUE).arg(id))
        .await?;
    let start = Instant::now();
    let key = format!("arq:result:{id}");
    let set = ::redis::cmd("SET")
        .arg(key)
        .arg(result.to_string())
        .to_owned();
    bench.redis.ask::<()>(&set).await?;
    loop {
        let task: Task = control.get(&path).await?;
        if task.status == "COMPLETED" {
            return Ok(start.elapsed());
        }
    }
}
