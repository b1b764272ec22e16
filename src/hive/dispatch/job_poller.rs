//! Checks all jobs in flight from time to time: keyspace events are lost with the connection, and nothing reports what
//! does not happen.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::RedisError;
use tokio::time::{Instant, sleep_until};

use crate::hive::dispatch::in_flight::{InFlight, WantedChecks};
use crate::hive::dispatch::job_watch::{RedisState, StatusCheck};
use crate::hive::dispatch::queues::EXPIRES;
use crate::hive::dispatch::scripts::Scripts;
use crate::hive::redis::handle::RedisHandle;

/// The interval between checks of all jobs; keyspace events arrive sooner.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// The interval without keyspace events.
const BLIND_INTERVAL: Duration = Duration::from_millis(500);
/// The delay before a job that Redis does not know is checked again.
const CONFIRM_INTERVAL: Duration = Duration::from_millis(500);
/// The number of jobs that one command checks.
const LOOK_JOBS: usize = 500;

/// Checks all jobs in flight from time to time.
pub(crate) struct JobPoller {
    pub(crate) line: RedisHandle,
    pub(crate) in_flight: InFlight,
    pub(crate) scripts: Arc<Scripts>,
    pub(crate) zombie: Duration,
}

impl JobPoller {
    pub(crate) async fn run(mut self, has_events: Arc<AtomicBool>) {
        let all = || WantedChecks {
            all: true,
            jobs: Vec::new(),
        };
        let mut next_look = Instant::now();
        loop {
            let wanted = tokio::select! {
                () = sleep_until(next_look) => all(),
                wanted = self.in_flight.wanted() => wanted,
            };
            let mut unconfirmed = false;
            for (queue, ids) in self.in_flight.wanted_by_queue(&wanted) {
                for ids in ids.chunks(LOOK_JOBS) {
                    match self.check(&queue, ids).await {
                        Ok(again) => unconfirmed |= again,
                        Err(error) => tracing::debug!(%error, "could not check the jobs in flight"),
                    }
                }
            }
            let interval = match has_events.load(Ordering::Relaxed) {
                true => LOOK_INTERVAL,
                false => BLIND_INTERVAL,
            };
            if wanted.all {
                next_look = Instant::now() + interval;
            }
            if unconfirmed {
                next_look = next_look.min(Instant::now() + CONFIRM_INTERVAL);
            }
        }
    }

    /// Checks some jobs of a queue; returns true if one of them must be checked again soon.
    async fn check(&mut self, queue: &str, ids: &[String]) -> Result<bool, RedisError> {
        let mut connection = self.line.connection().await;
        let mut asked = self.scripts.check.key(queue);
        asked.arg(EXPIRES.as_millis() as u64);
        for id in ids {
            asked.arg(id);
        }
        let check = StatusCheck {
            began: Instant::now(),
            patience: self.zombie,
        };
        let standings: String = asked.invoke_async(&mut connection).await?;
        let mut again = false;
        for (id, standing) in ids.iter().zip(standings.chars()) {
            let standing = match standing {
                'r' => RedisState::Finished,
                'p' => RedisState::Claimed,
                'k' => RedisState::Kept,
                'q' => RedisState::Queued,
                'e' => RedisState::Ended,
                _ => RedisState::Gone,
            };
            again |= self.in_flight.apply_check(id, standing, check);
        }
        Ok(again)
    }
}
