//! Whatever anybody may write into Redis: workers and services neither die of it nor stop serving others.

use serde_json::json;

use support::hive::{BACKGROUND, calls, hive, queued, until_queued};
use support::{Arq, HiveWorker, Redis, Reply, Yard, eventually};

const HIGH: &str = "venom:tasks:high";

/// Puts ARGV[2] jobs into KEYS[1] whose ids, bodies, counts and claims are noise of the seed ARGV[1]: often like
/// the body ARGV[3] or ARGV[4]. Answers how many of them nobody may ever take, since they have a claim.
const NOISE: &str = r"
    math.randomseed(ARGV[1])
    local pick = function(list) return list[math.random(#list)] end
    local noise = function(length)
        local bytes = {}
        for at = 1, math.random(0, length) do bytes[at] = string.char(math.random(0, 255)) end
        return table.concat(bytes)
    end
    local bent = function(body)
        for _ = 1, math.random(4) do
            local at = math.random(#body)
            body = body:sub(1, at - 1) .. noise(2) .. body:sub(at + 1)
        end
        return body
    end
    local bodies = {
        function() return noise(60) end,
        function() return pick({ '{', '(', '}', '\128\4', '\129', '\222', '\223', '\128\5\149' }) .. noise(60) end,
        function() return bent(ARGV[3]) end,
        function() return bent(ARGV[4]) end,
        function()
            local value = function()
                return pick({ 1e18, -1, 0.5, 'echo', cjson.null, {}, { 'a', 'b' }, false, { a = {} } })
            end
            return cjson.encode({ t = value(), f = value(), a = value(), k = value(), et = value() })
        end,
    }
    local held = 0
    for number = 1, ARGV[2] do
        local id = 'x' .. number .. noise(20)
        redis.call('ZADD', KEYS[1], pick({ '-inf', -5, 0.5, 1, 3e9 }), id)
        local body = math.random(20)
        if body == 1 then
            redis.call('RPUSH', 'arq:job:' .. id, 'x')
        elseif body > 2 then
            redis.call('SET', 'arq:job:' .. id, pick(bodies)())
        end
        local retry = math.random(8)
        if retry == 1 then
            redis.call('SET', 'arq:retry:' .. id, noise(10))
        elseif retry == 2 then
            redis.call('SET', 'arq:retry:' .. id, pick({ '9223372036854775807', '9223372036854775806', '-3', '1e3' }))
        elseif retry == 3 then
            redis.call('RPUSH', 'arq:retry:' .. id, 'x')
        end
        if math.random(4) == 1 then
            redis.call('RPUSH', 'arq:result:' .. id, 'x')
        end
        if math.random(5) == 1 then
            redis.call('ZADD', 'arq:abort', pick({ '-inf', 0, 1, '+inf' }), id)
        end
        local claim = math.random(10)
        if claim == 1 then
            redis.call('SET', 'arq:in-progress:' .. id, noise(10))
        elseif claim == 2 then
            redis.call('HSET', 'arq:in-progress:' .. id, 'x', 'x')
        end
        if claim <= 2 then held = held + 1 end
    end
    return held";

/// The body of a job of Python's, as it is in Redis: JSON, so that a test can hold it in a text.
async fn body(redis: &Redis, arq: &Arq) -> String {
    arq.enqueue(redis, "seed", "echo", "text").await;
    let body = redis.command(&["GET", "arq:job:seed"]).await;
    redis.command(&["DEL", "arq:job:seed"]).await;
    redis.command(&["ZREM", BACKGROUND, "seed"]).await;
    body.text().to_owned()
}

/// It has not died, nor has a part of it.
async fn ends_well(worker: HiveWorker) {
    let log = worker.log();
    assert!(!log.contains("panicked"), "{log}");
    assert_eq!(worker.stop().await.code(), Some(0));
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn jobs_of_noise_end_and_others_run_on() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let json_body = body(&redis, &Arq::newest(BACKGROUND).codec("json")).await;
    // Protocol 0 is a text.
    let pickle_body = "(dp0\nVt\np1\nNsVf\np2\nVecho\np3\nsVa\np4\n(lp5\nVtext\np6\nag6\nasVk\np7\n(dp8\nsVet\np9\nI1\ns.";
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    for seed in ["1", "2", "3"] {
        let noise = [
            "EVAL",
            NOISE,
            "1",
            BACKGROUND,
            seed,
            "400",
            &json_body,
            pickle_body,
        ];
        let held = redis.command(&noise).await.number();
        assert!((40..160).contains(&held), "{held}");
        arq.enqueue(&redis, seed, "echo", "text").await;
        let found = arq.client(&redis, &["result", seed]).await;
        assert_eq!(found, json!({ "result": "Processed: text" }));
        eventually("all jobs that may be taken have ended", || async {
            let left = redis.command(&["ZCARD", BACKGROUND]).await;
            (left.number() == held).then_some(())
        })
        .await;
        redis.command(&["FLUSHALL"]).await;
    }
    ends_well(worker).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn keys_of_another_kind_stop_only_what_they_stand_for() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let yard = Yard::new();
    let worker = yard.worker(&redis, "a").await;
    arq.enqueue(&redis, "runs", "gate", "gate").await;
    yard.until_noted("run gate 1").await;
    // The more urgent queue, the marks of aborts, and the health of the other queue.
    for key in [HIGH, "arq:abort"] {
        redis.command(&["SET", key, "x"]).await;
    }
    let health = format!("{BACKGROUND}:health-check");
    redis.command(&["DEL", &health]).await;
    redis.command(&["RPUSH", &health, "x"]).await;
    for id in ["a", "b"] {
        arq.enqueue(&redis, id, "upper", "text").await;
        let found = arq.client(&redis, &["result", id]).await;
        assert_eq!(found, json!({ "result": "TEXT" }));
    }
    yard.open_gate("gate");
    let found = arq.client(&redis, &["result", "runs"]).await;
    assert_eq!(found, json!({ "result": "let through" }));
    assert_eq!(queued(&redis, BACKGROUND).await, [""; 0]);
    // The queue of one that runs.
    arq.enqueue(&redis, "homeless", "gate", "later").await;
    yard.until_noted("run later 1").await;
    redis.command(&["DEL", HIGH]).await;
    redis.command(&["SET", BACKGROUND, "x"]).await;
    yard.open_gate("later");
    eventually("it has a result all the same", || async {
        let found = redis.command(&["EXISTS", "arq:result:homeless"]).await;
        (found == Reply::Number(1)).then_some(())
    })
    .await;
    let urgent = Arq::newest(HIGH);
    urgent.enqueue(&redis, "urgent", "upper", "text").await;
    let found = urgent.client(&redis, &["result", "urgent"]).await;
    assert_eq!(found, json!({ "result": "TEXT" }));
    ends_well(worker).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_service_lives_with_keys_of_another_kind() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let table = calls("ok", "max_attempts = 1");
    let setup = hive(&redis).table(&table);
    let urgent = "[processors.urgent]\nkind = \"hive\"\nfunction = \"ok\"\nqueue = \"high\"\nmax_attempts = 1";
    let service = setup.table(urgent).start().await;
    redis.command(&["SET", HIGH, "x"]).await;
    redis.command(&["SET", "arq:abort", "x"]).await;
    let refused = service.submit_to("urgent", "text").await;
    let task = service.finished(&refused).await;
    let error = task["error"].as_str().expect("an error");
    assert!(error.contains("WRONGTYPE"), "{error}");
    // Nothing stays behind of a job that nobody will run.
    let left = redis.command(&["KEYS", "arq:job:*"]).await;
    assert_eq!(left.texts(), [""; 0]);

    let aborted = service.submit_to("ok", "text").await;
    until_queued(&redis, BACKGROUND, 1).await;
    service.abort(&aborted).await.expect(200);
    let task = service.task(&aborted).await;
    assert_eq!(task["failure"], "aborted", "{task}");
    assert_eq!(queued(&redis, BACKGROUND).await, [""; 0]);
    let left = redis.command(&["KEYS", "arq:job:*"]).await;
    assert_eq!(left.texts(), [""; 0]);

    let one = service.submit_to("ok", "one").await;
    until_queued(&redis, BACKGROUND, 1).await;
    redis.command(&["DEL", "arq:abort"]).await;
    let _worker = arq.worker(&redis).await;
    assert_eq!(service.finished(&one).await["result"], "ONE");
    assert!(!service.setup().log().contains("panicked"));
    service.ends_well().await;
}

/// Gives each job of KEYS[1] a result of noise, often like the result ARGV[2], of the seed ARGV[1].
const ANSWERS: &str = r"
    math.randomseed(ARGV[1])
    local noise = function(length)
        local bytes = {}
        for at = 1, math.random(0, length) do bytes[at] = string.char(math.random(0, 255)) end
        return table.concat(bytes)
    end
    for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
        local answer = ARGV[2]
        for _ = 1, math.random(3) do
            local at = math.random(#answer)
            answer = answer:sub(1, at - 1) .. noise(2) .. answer:sub(at + 1)
        end
        if math.random(3) == 1 then answer = '\128\4' .. noise(80) end
        redis.call('PUBLISH', '__keyspace@0__:arq:in-progress:' .. noise(30), noise(10))
        redis.call('PUBLISH', '__keyspace@0__:arq:result:' .. id, noise(10))
        redis.call('SET', 'arq:result:' .. id, answer)
    end
    redis.call('DEL', KEYS[1])";

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn results_of_noise_end_their_own_tasks_and_no_others() {
    const TASKS: usize = 300;
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let table = calls("ok", "max_attempts = 1");
    let service = hive(&redis).table(&table).start().await;
    let tasks = vec![json!({ "content": "text", "processor": "ok" }); TASKS];
    let tasks = json!({ "tasks": tasks });
    service
        .post_json("/api/v1/tasks/batch", &tasks)
        .await
        .expect(201);
    until_queued(&redis, BACKGROUND, TASKS).await;
    let result = "(dp0\nVt\np1\nI1\nsVs\np2\nI01\nsVr\np3\nVdone\np4\nsVf\np5\nVok\np6\nsVa\np7\n(lp8\nsVk\np9\n\
        (dp10\nsVet\np11\nI1\nsVst\np12\nI1\nsVft\np13\nI1\nsVq\np14\ng5\nsVid\np15\ng5\ns.";
    redis
        .command(&["EVAL", ANSWERS, "1", BACKGROUND, "7", result])
        .await;
    service.drained().await;
    let mut database = service.database().await;
    let refused = "SELECT count(*) FROM tasks WHERE failure = 'error'
        AND error LIKE 'its result cannot be read%'";
    assert!(database.number(refused).await > TASKS as i64 / 3);
    let _worker = arq.worker(&redis).await;
    let id = service.submit_to("ok", "text").await;
    assert_eq!(service.finished(&id).await["result"], "TEXT");
    assert!(!service.setup().log().contains("panicked"));
    service.ends_well().await;
}
