//! What a worker says of itself where ARQ's own do: a line at `QUEUE:health-check` that expires.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::Local;
use redis::RedisError;
use tokio::time::sleep;

use crate::hive::redis::connection::Line;
use crate::hive::redis::keys;
use crate::hive::worker::job_runner::Workplace;

/// How often the line is written.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long it holds: one that is late by less is no sign of a death.
const HOLDS: Duration = Duration::from_secs(11);

/// Writes the lines for ever.
pub(crate) async fn tell(line: Line, workplace: &Workplace) {
    loop {
        for queue in workplace.claims.queues() {
            if let Err(error) = write(&line, queue, workplace).await {
                tracing::debug!(%error, "the worker's health could not be told");
            }
        }
        sleep(INTERVAL).await;
    }
}

/// Takes the lines away: the worker ends.
///
/// # Errors
/// When Redis does not do it.
pub(crate) async fn end(line: Line, workplace: &Workplace) -> Result<(), RedisError> {
    let mut connection = line.clone().connection().await;
    let mut del = redis::cmd("DEL");
    for queue in workplace.claims.queues() {
        del.arg(key(queue));
    }
    del.query_async(&mut connection).await
}

async fn write(line: &Line, queue: &str, workplace: &Workplace) -> Result<(), RedisError> {
    let mut connection = line.clone().connection().await;
    let queued: u64 = redis::cmd("ZCARD")
        .arg(queue)
        .query_async(&mut connection)
        .await?;
    redis::cmd("PSETEX")
        .arg(key(queue))
        .arg(HOLDS.as_millis() as u64)
        .arg(words(workplace, queued))
        .query_async(&mut connection)
        .await
}

fn words(workplace: &Workplace, queued: u64) -> String {
    let counts = &workplace.counts;
    let [complete, failed, retried] = [&counts.complete, &counts.failed, &counts.retried]
        .map(|count| count.load(Ordering::Relaxed));
    let (now, ongoing) = (
        Local::now().format("%b-%d %H:%M:%S"),
        workplace.running.len(),
    );
    format!(
        "{now} j_complete={complete} j_failed={failed} j_retried={retried} j_ongoing={ongoing} \
         queued={queued}"
    )
}

fn key(queue: &str) -> String {
    format!("{queue}{}", keys::HEALTH)
}
