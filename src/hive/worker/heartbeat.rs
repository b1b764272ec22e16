//! The heartbeat of running jobs: extends their claims, and stops jobs whose abort was requested or whose claim was lost.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::hive::worker::claims::JobClaim;
use crate::hive::worker::job_runner::WorkerContext;
use crate::hive::worker::listener::Wakeups;

/// How often running jobs are looked after: whether they are to be aborted, and are still ours.
const CARE: Duration = Duration::from_millis(500);
/// How often the end of claims is put off; a third of the time for which they hold.
const EXTENSION: Duration = Duration::from_secs(10);
/// JobClaims that one command keeps.
const KEEP_JOBS: usize = 500;

/// Looks after the running jobs for ever.
pub(crate) async fn run(worker: &WorkerContext, wakeups: &Wakeups) {
    let mut extended_at = Instant::now();
    loop {
        tokio::select! {
            () = sleep(CARE) => {}
            () = wakeups.heartbeat.notified() => {}
        }
        let extended = extended_at.elapsed() >= EXTENSION;
        if extended {
            extended_at = Instant::now();
        }
        let mut running = worker.running.all();
        // A lost claim must not be taken again for a run that is about to end: nobody would end it.
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
