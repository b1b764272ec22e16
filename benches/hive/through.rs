//! (h3), (h4) The whole way of a task: accepted over HTTP, sent as a job, run by one worker, and COMPLETED in
//! SQLite, each step durable. The clock runs from the first POST until all are COMPLETED.

use std::time::Instant;

use hyper::Method;
use serde::de::IgnoredAny;

use crate::arq::Setup;
use crate::meter::Meter;
use crate::process::Process;
use crate::report::Report;
use crate::rounds::{Rounds, Sample};
use crate::service::{Home, QueueStatus, Service};
use crate::worker::Worker;
use crate::{Bench, Result, database};

/// ARQ's worker with as much at a time as pays, and looking for more at once.
const ARQ: Setup = Setup {
    max_jobs: 100,
    poll_delay: 0.01,
};
const MAX_JOBS: u32 = 100;
/// Tasks of one POST.
const BATCH: u64 = 1000;
const EMPTY: QueueStatus = QueueStatus {
    pending: 0,
    processing: 0,
};

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section(
        "(h3), (h4) the service's tasks, run by one `venom hive worker`, and by one ARQ worker; µs are the service's",
    );
    report.columns("arq");
    let mut rounds = Rounds::new(bench.plan.rounds);
    while rounds.incomplete() {
        bench.redis.empty().await?;
        let arq = bench.arq.worker(ARQ)?;
        let by_arq = finish(bench, &arq).await?;
        drop(arq);
        bench.redis.empty().await?;
        let ours = Worker::start(bench, MAX_JOBS)?;
        rounds.push(by_arq, finish(bench, ours.process()).await?);
    }
    let label = format!("{MAX_JOBS} jobs at a time");
    report.rounds("h4", &label, &rounds);
    Ok(())
}

/// The rate at which the service's tasks are finished by this worker.
async fn finish(bench: &Bench, worker: &Process) -> Result<Sample> {
    let jobs = bench.plan.jobs;
    let service = start_service(bench, "").await?;
    // So that nothing that starts up counts.
    submit(&service, BATCH).await?;
    service.drained(EMPTY).await?;
    let start = Instant::now();
    let meter = Meter::start(&service.process, vec![worker, bench.redis.process()]);
    submit(&service, jobs).await?;
    service.drained(EMPTY).await?;
    let rate = jobs as f64 / start.elapsed().as_secs_f64();
    let sample = meter.sample(rate, jobs);
    database::expect_completed(&service.database(), BATCH + jobs).await?;
    service.kill().await?;
    Ok(sample)
}

/// A service whose tasks all go to the Hive; `settings` are more lines of its processor.
pub async fn start_service(bench: &Bench, settings: &str) -> Result<Service> {
    let home = Home::empty(&bench.plan)?;
    let text = format!(
        "enable_hive = true\nredis_host = \"127.0.0.1\"\nredis_port = {}\nstate_dump = \"off\"\n\
         default_processor = \"noop\"\n\
         [processors.noop]\nkind = \"hive\"\nfunction = \"noop\"\nmax_attempts = 1\n{settings}",
        bench.redis.port
    );
    std::fs::write(home.path().join("venom.toml"), text)?;
    Service::start(&bench.plan, home, &[]).await
}

/// Submits this many tasks over one connection.
pub async fn submit(service: &Service, count: u64) -> Result<()> {
    let mut control = service.control().await?;
    for start in (0..count).step_by(BATCH as usize) {
        let numbers = start..(start + BATCH).min(count);
        let tasks = numbers.map(|number| format!(r#"{{"content":"hello {number}"}}"#));
        let body = format!(r#"{{"tasks":[{}]}}"#, Vec::from_iter(tasks).join(","));
        let IgnoredAny = control
            .call(Method::POST, "/api/v1/tasks/batch", body.into())
            .await?;
    }
    Ok(())
}
