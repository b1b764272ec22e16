//! Writes the worker's health line where ARQ's workers do: at `QUEUE:health-check`, with an expiry.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chrono::Local;
use redis::RedisError;
use tokio::time::sleep;

use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys;
use crate::hive::worker::job_runner::WorkerContext;

/// How often the line is written.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long the line lasts: more than twice the interval, so that one late write is no sign of a death.
const HOLDS: Duration = Duration::from_secs(11);

/// Writes the lines for ever.
pub(crate) async fn run(line: RedisHandle, worker: &WorkerContext) {
    loop {
        for queue in worker.claims.queues() {
            if let Err(error) = write(&line, queue, worker).await {
                tracing::debug!(%error, "could not write the worker's health key");
            }
        }
        sleep(INTERVAL).await;
    }
}

/// Deletes the lines when the worker ends.
///
/// # Errors
/// If Redis does not answer or refuses it.
pub(crate) async fn remove(line: RedisHandle, worker: &WorkerContext) -> Result<(), RedisError> {
    let mut connection = line.clone().connection().await;
    let mut del = redis::cmd("DEL");
    for queue in worker.claims.queues() {
        del.arg(key(queue));
    }
    del.query_async(&mut connection).await
}

async fn write(line: &RedisHandle, queue: &str, worker: &WorkerContext) -> Result<(), RedisError> {
    let mut connection = line.clone().connection().await;
    let queued: u64 = redis::cmd("ZCARD")
        .arg(queue)
        .query_async(&mut connection)
        .await?;
    redis::cmd("PSETEX")
        .arg(key(queue))
        .arg(HOLDS.as_millis() as u64)
        .arg(words(worker, queued))
        .query_async(&mut connection)
        .await
}

fn words(worker: &WorkerContext, queued: u64) -> String {
    let counts = &worker.counts;
    let [complete, failed, retried] = [&counts.complete, &counts.failed, &counts.retried]
        .map(|count| count.load(Ordering::Relaxed));
    let (now, ongoing) = (Local::now().format("%b-%d %H:%M:%S"), worker.running.len());
    format!(
        "{now} j_complete={complete} j_failed={failed} j_retried={retried} j_ongoing={ongoing} \
         queued={queued}"
    )
}

fn key(queue: &str) -> String {
    format!("{queue}{}", keys::HEALTH)
}
