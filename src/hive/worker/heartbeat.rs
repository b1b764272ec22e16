//! The loop that looks after the running jobs: keeps their claims, and hears of aborts and of claims that were lost.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::hive::worker::claims::Claim;
use crate::hive::worker::job_runner::Workplace;
use crate::hive::worker::listener::Waker;

/// How often running jobs are looked after: whether they are to be aborted, and are still ours.
const CARE: Duration = Duration::from_millis(500);
/// How often the end of claims is put off; a third of the time for which they hold.
const EXTENSION: Duration = Duration::from_secs(10);
/// Claims that one command keeps.
const KEEP_JOBS: usize = 500;

/// Looks after the running jobs for ever.
pub(crate) async fn care(workplace: &Workplace, waker: &Waker) {
    let mut extended_at = Instant::now();
    loop {
        tokio::select! {
            () = sleep(CARE) => {}
            () = waker.care.notified() => {}
        }
        let extended = extended_at.elapsed() >= EXTENSION;
        if extended {
            extended_at = Instant::now();
        }
        let mut running = workplace.running.all();
        // A lost claim must not be taken again for a run that is about to end: nobody would end it.
        running.retain(|running| !running.is_lost());
        for running in running.chunks(KEEP_JOBS) {
            let claims: Vec<Claim> = running.iter().map(|running| running.claim()).collect();
            let standings = workplace.claims.keep(&claims, extended).await;
            for ((running, claim), standing) in running.iter().zip(&claims).zip(standings) {
                running.see(claim, standing);
            }
        }
    }
}
