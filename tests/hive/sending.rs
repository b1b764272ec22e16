//! Tasks of the kind `hive` go through a real Redis to real ARQ workers, and come back: each outcome that
//! ARQ knows, and what happens when the service or Redis goes away meanwhile.

use futures_util::future::join_all;
use serde_json::{Value, json};

use support::hive::{BACKGROUND, HIGH, calls, hive, queued, until_queued};
use support::{Arq, Redis, Service, Setup, Yard, eventually};

/// As many as run at a time in tests of what goes away.
const JOBS: usize = 20;

async fn submit_many(service: &Service, processor: &str, contents: &[&str]) -> Vec<String> {
    let submissions = contents.iter().map(|it| service.submit_to(processor, it));
    join_all(submissions).await
}

/// Each of these tasks is completed, and its function was called once.
async fn called_once(service: &Service, arq: &Arq, ids: &[String]) {
    for id in ids {
        let task = service.finished(id).await;
        assert_eq!(task["status"], "COMPLETED", "{task}");
        assert_eq!(arq.noted(&format!("run {id} ")), 1, "{:?}", arq.ledger());
    }
}

/// The same, by the job of its first attempt.
async fn ran_once(service: &Service, arq: &Arq, ids: &[String]) {
    called_once(service, arq, ids).await;
    for id in ids {
        assert_eq!(arq.noted(&format!("run {id} {id}:1 1")), 1);
    }
}

fn assert_failed(task: &Value, failure: &str, error: &str) {
    assert_eq!(
        (&task["status"], &task["failure"]),
        (&json!("FAILED"), &json!(failure)),
        "{task}"
    );
    let found = task["error"].as_str().expect("an error");
    assert!(found.contains(error), "{found}");
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn what_a_function_returns_is_the_result() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let service = hive(&redis).table(&calls("ok", "")).start().await;
        let id = service.submit_to("ok", "Grüße").await;
        ran_once(&service, &arq, std::slice::from_ref(&id)).await;
        assert_eq!(service.task(&id).await["result"], "GRÜSSE");
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_result_of_any_size_comes_back_whole() {
    let arq = Arq::newest(BACKGROUND);
    let redis = Redis::start().await;
    let _worker = arq.worker(&redis).await;
    let service = hive(&redis).table(&calls("ok", "")).start().await;
    // With the arguments in it, a job's result is twice as long: some on either side of 64 KiB.
    for length in [30_000, 32_600, 32_700, 40_000, 300_000] {
        let id = service.submit_to("ok", &"x".repeat(length)).await;
        let task = service.finished(&id).await;
        assert_eq!(task["result"], "X".repeat(length), "{length}");
    }
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn every_codec_carries_tasks_and_results() {
    for codec in ["pickle", "json", "msgpack"] {
        let redis = Redis::start().await;
        let arq = Arq::newest(BACKGROUND).codec(codec);
        let _worker = arq.worker(&redis).await;
        let table = calls("structured", &format!("codec = \"{codec}\""));
        let service = hive(&redis).table(&table).start().await;
        let id = service.submit_to("structured", "text").await;
        let task = service.finished(&id).await;
        let result = task["result"].as_str().expect("a result");
        let result: Value = serde_json::from_str(result).expect("JSON");
        let expected = json!({ "text": "text", "list": [1, 2.5, null, true] });
        assert_eq!(result, expected, "{codec}");
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn each_way_to_fail_says_why() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let ways = [
            ("fail", "error", "ValueError: bad"),
            ("nowhere", "error", "function 'nowhere' not found"),
            ("unserialisable", "error", "unable to serialize result"),
            ("too_slow", "timeout", ""),
        ];
        let setup = ways.iter().fold(hive(&redis), |setup, (function, _, _)| {
            setup.table(&calls(function, "max_attempts = 1"))
        });
        let service = setup.start().await;
        for (function, failure, error) in ways {
            let id = service.submit_to(function, "").await;
            assert_failed(&service.finished(&id).await, failure, error);
        }
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn another_attempt_is_another_job_and_a_retry_of_arqs_is_not() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let twice = "max_attempts = 2\nbackoff = { first = 0 }";
        let setup = hive(&redis).table(&calls("fail_once", twice));
        let service = setup.table(&calls("retry_once", "")).start().await;

        let id = service.submit_to("fail_once", "tried").await;
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["result"], &task["attempt"]),
            (&json!("better"), &json!(2)),
            "{task}"
        );
        let runs = [format!("run {id} {id}:1 1"), format!("run {id} {id}:2 1")];
        assert_eq!(arq.ledger(), runs);

        let id = service.submit_to("retry_once", "").await;
        let task = service.finished(&id).await;
        assert_eq!(
            (&task["result"], &task["attempt"]),
            (&json!("try 2"), &json!(1)),
            "{task}"
        );
        let runs = [format!("run {id} {id}:1 1"), format!("run {id} {id}:1 2")];
        assert_eq!(arq.ledger()[2..], runs);
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_queue_is_chosen_by_priority_or_by_the_processor() {
    let redis = Redis::start().await;
    let setup = hive(&redis).table(&calls("ok", ""));
    let service = setup
        .table(&calls("gate", "queue = \"high\""))
        .start()
        .await;
    let urgent = json!({ "content": "", "processor": "ok", "priority": 1 });
    let urgent = service.submit_json(&urgent).await;
    let ordinary = service.submit_to("ok", "").await;
    let always = service.submit_to("gate", "").await;
    until_queued(&redis, HIGH, 2).await;
    until_queued(&redis, BACKGROUND, 1).await;
    let mut high = queued(&redis, HIGH).await;
    high.sort();
    let mut expected = [format!("{urgent}:1"), format!("{always}:1")];
    expected.sort();
    assert_eq!(high, expected);
    let job = format!("{ordinary}:1");
    assert_eq!(queued(&redis, BACKGROUND).await, [job.as_str()]);
    let status = Arq::newest(BACKGROUND)
        .client(&redis, &["status", &job])
        .await;
    assert_eq!(status, "queued");
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_before_the_start_keeps_the_function_from_being_called() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let service = hive(&redis).table(&calls("ok", "")).start().await;
        let aborted = service.submit_to("ok", "").await;
        until_queued(&redis, BACKGROUND, 1).await;
        service.abort(&aborted).await.expect(200);
        assert_failed(&service.task(&aborted).await, "aborted", "");
        let _worker = arq.worker(&redis).await;
        let id = service.submit_to("ok", "").await;
        ran_once(&service, &arq, &[id]).await;
        assert_eq!(arq.ledger().len(), 1);
        until_queued(&redis, BACKGROUND, 0).await;
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_abort_cancels_the_function_that_runs() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let service = hive(&redis).table(&calls("gate", "")).start().await;
        let id = service.submit_to("gate", "open").await;
        arq.until_noted(&format!("run {id}"), 1).await;
        service.abort(&id).await.expect(200);
        assert_failed(&service.task(&id).await, "aborted", "");
        arq.until_noted(&format!("cancelled {id} {id}:1"), 1).await;
        // Nothing stays behind that would kill a later job of this name.
        eventually("the abort is taken back", || async {
            let left = redis.command(&["ZCARD", "arq:abort"]).await;
            (left.number() == 0).then_some(())
        })
        .await;
        arq.open_gate("open");
        let id = service.submit_to("gate", "open").await;
        ran_once(&service, &arq, &[id]).await;
        assert_eq!(arq.noted("done"), 1, "{:?}", arq.ledger());
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn without_redis_its_tasks_wait_and_no_others() {
    let mut redis = Redis::start().await;
    redis.kill9().await;
    let service = hive(&redis).table(&calls("ok", "")).start().await;
    let id = service.submit_to("ok", "text").await;
    let echoed = service.submit("echo").await;
    assert_eq!(service.finished(&echoed).await["status"], "COMPLETED");
    let waiting = service.task(&id).await;
    assert_eq!(
        (&waiting["status"], &waiting["attempt"]),
        (&json!("PENDING"), &json!(0))
    );
    let explained = service.get(&format!("/api/v1/tasks/{id}/explain")).await;
    let explained = explained.expect(200);
    assert_eq!(explained["reasons"][0]["type"], "hive_away", "{explained}");
    redis.start_again().await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    ran_once(&service, &arq, &[id]).await;
    service.ends_well().await;
}

/// Jobs end while the service is away and after it is back; it knows of all of them.
async fn adopted_after(killed: bool) {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let service = hive(&redis).table(&calls("gate", "")).start().await;
        let early = submit_many(&service, "gate", &["early"; JOBS / 2]).await;
        let late = submit_many(&service, "gate", &["late"; JOBS / 2]).await;
        arq.until_noted("run", JOBS).await;
        let away = if killed {
            service.kill9().await
        } else {
            service.stop().await
        };
        arq.open_gate("early");
        arq.until_noted("done", JOBS / 2).await;
        let service = away.start().await;
        ran_once(&service, &arq, &early).await;
        assert_eq!(arq.noted("done"), JOBS / 2);
        arq.open_gate("late");
        ran_once(&service, &arq, &late).await;
        assert_eq!(arq.noted("cancelled"), 0);
        service.ends_well().await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_service_that_was_killed_takes_its_jobs_up_again() {
    adopted_after(true).await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_service_that_was_stopped_takes_its_jobs_up_again() {
    adopted_after(false).await;
}

/// Killed at whatever moment: between its own store and Redis, before and after.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn killed_while_it_sends_it_sends_each_once() {
    let redis = Redis::start().await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    let mut service = hive(&redis).table(&calls("ok", "")).start().await;
    let mut ids = Vec::new();
    for round in 1..=5 {
        ids.extend(submit_many(&service, "ok", &["text"; JOBS]).await);
        arq.until_noted("run", (round - 1) * JOBS + 1).await;
        service = service.kill9().await.start().await;
    }
    // One that was killed before it had sent anything sends the job of a later attempt.
    called_once(&service, &arq, &ids).await;
    assert_eq!(arq.noted("run"), ids.len());
    service.ends_well().await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_redis_that_was_killed_and_kept_its_jobs_loses_none() {
    let mut redis = Redis::start().await;
    let service = hive(&redis).table(&calls("ok", "")).start().await;
    let mut ids = submit_many(&service, "ok", &["text"; JOBS]).await;
    until_queued(&redis, BACKGROUND, JOBS).await;
    redis.kill9().await;
    ids.extend(submit_many(&service, "ok", &["text"; JOBS]).await);
    redis.start_again().await;
    let arq = Arq::newest(BACKGROUND);
    let _worker = arq.worker(&redis).await;
    ran_once(&service, &arq, &ids).await;
    assert_eq!(arq.noted("run"), 2 * JOBS);
    service.ends_well().await;
}

/// `examples/hive` as it is, but for the port.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn the_example_works() {
    let redis = Redis::start().await;
    let arq = Arq::newest(HIGH);
    let worker = arq.worker_of("examples/hive", "worker.WorkerSettings", &redis);
    let _worker = worker.await;
    let setup = Setup::new().setting("redis_port", redis.port());
    let example = include_str!("../../examples/hive/venom.toml");
    let service = setup.table(example).start().await;
    let task = json!({ "content": "One. Two.", "processor": "summary", "priority": 1 });
    let id = service.submit_json(&task).await;
    assert_eq!(service.finished(&id).await["result"], "One.");
    // The background queue is read by the other worker alone.
    let _worker = Yard::new().worker_of_the_example(&redis).await;
    let id = service.submit_to("summary", "Three. Four.\nFive.").await;
    assert_eq!(service.finished(&id).await["result"], "Three.");
    service.ends_well().await;
}
