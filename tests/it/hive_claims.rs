//! Claims of `venom hive worker` where something is lost on the way: an answer of Redis, the claim itself, room in
//! Redis, or the mark of an abort. And jobs that are too large to be read.

use crate::support::{Redis, Relay, Reply, Yard, eventually, put, result_text};

const HIGH: &str = "venom:tasks:high";

async fn text(redis: &Redis, key: &str) -> Option<String> {
    match redis.command(&["GET", key]).await {
        Reply::Bytes(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        _ => None,
    }
}

async fn until_claimed(redis: &Redis, id: &str) -> String {
    let key = format!("arq:in-progress:{id}");
    eventually("the job is claimed", || text(redis, &key)).await
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_full_redis_counts_no_start_of_a_job_that_is_given_back() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    redis.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    assert_eq!(worker.stop().await.code(), Some(0));
    assert_eq!(text(&redis, "arq:in-progress:job").await, None);
    assert_eq!(text(&redis, "arq:retry:job").await.as_deref(), Some("0"));
    let score = redis.command(&["ZSCORE", HIGH, "job"]).await;
    assert_eq!(score.text(), "5");
}

/// Who has room need not wait for its next look.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn redis_tells_of_a_job_that_is_given_back() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    let mut events = redis.listen(&format!("__keyspace@0__:{HIGH}")).await;
    assert_eq!(worker.stop().await.code(), Some(0));
    events.until_said("zadd").await;
}
