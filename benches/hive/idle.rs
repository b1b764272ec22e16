//! (h5) How long a job waits that comes when there is nothing else to do.

use crate::arq::Setup;
use crate::figures::percentile;
use crate::report::{Aim, Report};
use crate::worker::Worker;
use crate::{Bench, Result};

/// ARQ's default, to which its time is due.
const ARQ: Setup = Setup {
    max_jobs: 10,
    poll_delay: 0.5,
};

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(h5) from before the enqueue to the start of the job, queue idle");
    bench.redis.empty().await?;
    let arq = bench.arq.worker(ARQ)?;
    // Not in step with its polls.
    let times = bench.arq.latency(bench.plan.samples, 0.5).await?;
    print(report, "ARQ's worker, poll_delay 0.5", "h5.arq", &times);
    drop(arq);

    bench.redis.empty().await?;
    let ours = Worker::start(bench, 10)?;
    let times = bench.arq.latency(bench.plan.samples * 10, 0.02).await?;
    let p50 = print(report, "venom hive worker", "h5.venom", &times);
    report.aim(Aim::below(
        "(h5) enqueue to start, p50 (ms)",
        5.0,
        Some(p50),
    ));
    drop(ours);
    Ok(())
}

/// Answers with the p50 of the start, in milliseconds.
fn print(report: &mut Report, label: &str, key: &str, times: &[(f64, f64)]) -> f64 {
    let start = |share| percentile(times.iter().map(|(start, _)| *start), share);
    let seen = |share| percentile(times.iter().map(|(_, seen)| *seen), share);
    println!(
        "  {label:<30}p50 {:.1} ms, p99 {:.1} ms; until the client has seen the result, p50 {:.1} ms, p99 {:.1} ms",
        start(0.5),
        start(0.99),
        seen(0.5),
        seen(0.99),
    );
    report.record(
        key,
        serde_json::json!({ "p50_ms": start(0.5), "p99_ms": start(0.99),
                            "seen_p50_ms": seen(0.5), "seen_p99_ms": seen(0.99) }),
    );
    start(0.5)
}
