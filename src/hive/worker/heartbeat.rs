//! The heartbeat of running jobs: extends their claims, and stops jobs whose abort was requested or whose claim was lost.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::hive::worker::claims::JobClaim;
use crate::hive::worker::job_runner::WorkerContext;
use crate::hive::worker::listener::Wakeups;

/// How often running jobs are checked for aborts and lost claims.
const INTERVAL: Duration = Duration::from_millis(500);
/// How often claims are extended; a third of the time for which they last.
const EXTENSION: Duration = Duration::from_secs(10);
/// The number of claims that one command checks or extends.
const KEEP_JOBS: usize = 500;

/// Checks the running jobs and extends their claims, for ever.
pub(crate) async fn run(worker: &WorkerContext, wakeups: &Wakeups) {
    let mut extended_at = Instant::now();
    loop {
        tokio::select! {
            () = sleep(INTERVAL) => {}
            () = wakeups.heartbeat.notified() => {}
        }
        let extended = extended_at.elapsed() >= EXTENSION;
        if extended {
            extended_at = Instant::now();
        }
        let mut running = worker.running.all();
        // A lost claim is not renewed for a run that is about to end: nobody would end it.
        running.retain(|running| !running.is_lost());
        for running in running.chunks(KEEP_JOBS) {
            let claims: Vec<JobClaim> = running.iter().map(|running| running.claim()).collect();
            let standings = worker.claims.keep(&claims, extended).await;
            for ((running, claim), standing) in running.iter().zip(&claims).zip(standings) {
                running.see(claim, standing);
            }
        }
    }
}
