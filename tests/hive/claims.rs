//! Claims of `venom hive worker` where something is lost on the way: an answer of Redis, the claim itself, room in
//! Redis, or the mark of an abort. And jobs that are too large to be read.

use support::{Redis, Relay, Reply, Yard, eventually, put, result_text};

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

/// Has Redis learn the script, so that it needs to be told no more than to run it.
async fn learn_to_give_back(redis: &Redis, yard: &Yard) {
    let worker = yard.worker(redis, "teacher").await;
    put(redis, HIGH, "lesson", "gate", "lesson", "5").await;
    yard.until_noted("run lesson 1").await;
    assert_eq!(worker.stop().await.code(), Some(0));
    redis.command(&["FLUSHDB"]).await;
}

/// Redis takes everything that the worker sends, and says nothing more after the jobs. They are given back all the
/// same, and so is the mark of an abort.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_stop_gives_back_what_was_taken_last_and_does_not_wait_for_each() {
    const PUT: &str = "for i = 1, 60 do \
        redis.call('SET', 'arq:job:j' .. i, cjson.encode({t = cjson.null, f = 'gate', \
            a = {'j' .. i, 'j' .. i}, k = cjson.decode('{}'), et = 1})) \
        redis.call('ZADD', KEYS[1], i + 1, 'j' .. i) end \
        redis.call('ZADD', 'arq:abort', 5, 'j60')";
    let redis = Redis::start().await;
    let relay = Relay::start(&redis).await;
    let yard = Yard::new();
    learn_to_give_back(&redis, &yard).await;
    let flags = ["--max-jobs", "60"];
    let worker = yard.worker_at(relay.port(), "a", &flags, "").await;
    relay.hold_at("\r\nj1\r\n");
    redis.command(&["EVAL", PUT, "1", HIGH]).await;
    relay.until_held("\r\nj60\r\n").await;
    worker.tell_to_stop();
    worker.until_said("Shutting down").await;
    relay.release();
    assert_eq!(worker.ended().await.code(), Some(0));
    let left = redis.command(&["KEYS", "arq:in-progress:*"]).await;
    assert_eq!(left, Reply::List(Vec::new()));
    assert_eq!(yard.ledger(), ["run lesson 1"]);

    let _worker = yard.worker_with(&redis, "b", &flags, "").await;
    let end = result_text(&redis, "j60").await;
    assert!(end.contains("CancelledError"), "{end}");
    yard.until_noted("run j1 1").await;
    assert!(!yard.ledger().contains(&"run j60 1".to_owned()));
}

/// Whoever claims a job that runs here already has read the mark with it. No event tells of this one.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_reaches_a_job_that_is_claimed_once_more_while_it_runs() {
    const EXPIRE: &str = "redis.call('DEL', 'arq:in-progress:job') \
        redis.call('ZADD', 'marks', 5, 'job') \
        redis.call('ZUNIONSTORE', 'arq:abort', 1, 'marks') \
        redis.call('ZADD', KEYS[1], 6, 'job')";
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    redis.command(&["EVAL", EXPIRE, "1", HIGH]).await;
    let end = result_text(&redis, "job").await;
    assert!(end.contains("CancelledError"), "{end}");
    let mark = redis.command(&["ZSCORE", "arq:abort", "job"]).await;
    assert_eq!(mark, Reply::Null);
}

/// ARQ leaves marks of ids that it does not know, and a later job may have such an id.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_mark_of_an_abort_that_is_older_than_its_job_is_taken_away() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let _worker = yard.worker(&redis, "a").await;
    redis.command(&["ZADD", "arq:abort", "5", "job"]).await;
    let body = r#"{"t": null, "f": "gate", "a": ["job", "gate"], "k": {}, "et": 1000000}"#;
    redis.command(&["SET", "arq:job:job", body]).await;
    redis.command(&["ZADD", HIGH, "5", "job"]).await;
    eventually("the mark is gone", || async {
        let mark = redis.command(&["ZSCORE", "arq:abort", "job"]).await;
        (mark == Reply::Null).then_some(())
    })
    .await;
    yard.open_gate("gate");
    let end = result_text(&redis, "job").await;
    assert!(end.contains("let through"), "{end}");
}

/// Its program takes its time to leave.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_that_comes_back_while_its_lost_run_ends_is_run_at_once() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let script = "trap 'note told' TERM; \
                  while [ ! -e \"$YARD/$content\" ]; do sleep 0.01; done; printf through";
    let slow = yard.table("stubborn", script);
    let _worker = yard.worker_with(&redis, "a", &[], &slow).await;
    put(&redis, HIGH, "job", "stubborn", "x", "5").await;
    yard.until_noted("run x 1").await;
    let claim = "arq:in-progress:job";
    redis.command(&["SET", claim, "1"]).await;
    yard.until_noted("told x 1").await;
    let release = "redis.call('DEL', 'arq:in-progress:job') redis.call('ZADD', KEYS[1], 6, 'job')";
    redis.command(&["EVAL", release, "1", HIGH]).await;
    until_claimed(&redis, "job").await;
    yard.open_gate("x");
    let end = result_text(&redis, "job").await;
    assert!(end.contains("through"), "{end}");
    // A third start would be one after the claim has expired.
    assert_eq!(yard.ledger(), ["run x 1", "told x 1", "run x 2"]);
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_full_redis_counts_no_start_of_a_job_that_is_given_back() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    redis.refuse_writes().await;
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

/// Asked again, Redis finds the job ended, and its result in place.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_job_whose_end_was_stored_is_not_said_to_be_anothers() {
    let redis = Redis::start().await;
    let relay = Relay::start(&redis).await;
    let yard = Yard::new();
    let flags = ["--max-jobs", "1"];
    let worker = yard.worker_at(relay.port(), "a", &flags, "").await;
    // Redis learns the script with it.
    put(&redis, HIGH, "lesson", "upper", "lesson", "5").await;
    result_text(&redis, "lesson").await;
    put(&redis, HIGH, "job", "gate", "gate", "5").await;
    yard.until_noted("run gate 1").await;
    relay.hold_at("");
    yard.open_gate("gate");
    result_text(&redis, "job").await;
    relay.cut();
    put(&redis, HIGH, "next", "upper", "next", "5").await;
    result_text(&redis, "next").await;
    let log = worker.log();
    assert!(!log.contains("another worker"), "{log}");
}

/// Two of the long ones fit into an answer, and the third comes with the next. All but the first wait, so their
/// claims can be seen.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn no_job_and_no_answer_with_jobs_is_longer_than_a_worker_can_bear() {
    const PUT: &str = "local put = function(score, id, mib) \
            redis.call('SET', 'arq:job:' .. id, cjson.encode({t = cjson.null, f = 'rare', \
                a = {'x', string.rep('x', mib * 1024 * 1024)}, k = cjson.decode('{}'), et = 1})) \
            redis.call('ZADD', KEYS[1], score, id) end \
        put(1, string.rep('i', 70000), 0) put(2, 'first', 0) put(3, 'huge', 17) \
        put(4, 'a', 7) put(5, 'b', 7) put(6, 'c', 7) put(7, 'd', 0)";
    let redis = Redis::start().await;
    let yard = Yard::new();
    redis.command(&["EVAL", PUT, "1", HIGH]).await;
    let rare = "[processors.rare]\nkind = \"echo\"\nrate = \"1/h\"\n";
    let flags = ["--max-jobs", "20"];
    let _worker = yard.worker_with(&redis, "a", &flags, rare).await;
    let end = result_text(&redis, "huge").await;
    let why = "unable to deserialize job: it has 17825";
    assert!(
        end.contains("DeserializationError") && end.contains(why),
        "{end}"
    );
    let mut claims = Vec::new();
    for id in ["a", "b", "c", "d"] {
        claims.push(until_claimed(&redis, id).await);
    }
    assert!(claims[0] == claims[1] && claims[1] != claims[2] && claims[2] == claims[3]);
    result_text(&redis, "first").await;
    // Those that wait and the one that is nobody's.
    assert_eq!(redis.command(&["ZCARD", HIGH]).await.number(), 5);
    let claimed = redis.command(&["KEYS", "arq:in-progress:i*"]).await;
    assert_eq!(claimed, Reply::List(Vec::new()));
}
