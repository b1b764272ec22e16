//! A service of the Hive, and what its queues in Redis hold.

use crate::redis::Redis;
use crate::service::Setup;
use crate::wait::eventually;

pub const HIGH: &str = "venom:tasks:high";
pub const BACKGROUND: &str = "venom:tasks:background";

/// A service that sends to this Redis.
pub fn hive(redis: &Redis) -> Setup {
    Setup::new()
        .setting("enable_hive", true)
        .setting("redis_host", "\"127.0.0.1\"")
        .setting("redis_port", redis.port())
}

/// A processor named as its function; `settings` are more lines of its table.
pub fn calls(function: &str, settings: &str) -> String {
    format!("[processors.{function}]\nkind = \"hive\"\nfunction = \"{function}\"\n{settings}\n")
}

/// The jobs that a queue holds, those that run included.
pub async fn queued(redis: &Redis, queue: &str) -> Vec<String> {
    let found = redis.command(&["ZRANGE", queue, "0", "-1"]).await;
    found.texts().into_iter().map(str::to_owned).collect()
}

/// Waits until the queue holds this many jobs.
pub async fn until_queued(redis: &Redis, queue: &str, count: usize) {
    eventually("the jobs are in Redis", || async {
        (queued(redis, queue).await.len() == count).then_some(())
    })
    .await;
}
