//! Many jobs and many nodes on one Redis: workers of ours, a Python worker, clients and services, and what is
//! left of the work when one after the other is killed.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::control::two;
use support::hive::{BACKGROUND, calls, hive, until_queued};
use support::{Arq, Redis, Service, Yard, eventually};

const JOBS: usize = 10_000;

/// Counts the results that are of a first start, and are what `echo` makes of a payload that is the job's own.
const COUNT: &str = "local count = 0 \
    for _, key in ipairs(redis.call('KEYS', 'arq:result:*')) do \
        local result = cjson.decode(redis.call('GET', key)) \
        if result.s and result.t == 1 and result.r == 'Processed: ' .. result.a[2] \
            and key == 'arq:result:' .. result.id then count = count + 1 end \
    end \
    return count";

/// Waits until the queue is empty; then all jobs have been started once, and nothing but their results is left.
async fn all_have_run_once(redis: &Redis) {
    until_queued_is_empty(redis).await;
    let count = redis.command(&["EVAL", COUNT, "0"]).await;
    assert_eq!(count.number(), JOBS as i64);
    for kind in ["job", "in-progress", "retry"] {
        let left = redis.command(&["KEYS", &format!("arq:{kind}:*")]).await;
        assert_eq!(left.texts(), [""; 0]);
    }
}

/// Waits until the queue is empty; each thousand has its time.
async fn until_queued_is_empty(redis: &Redis) {
    for left in (0..JOBS).step_by(1000).rev() {
        eventually("jobs end", || async {
            let found = redis.command(&["ZCARD", BACKGROUND]).await;
            (found.number() <= left as i64).then_some(())
        })
        .await;
    }
}

/// Starts are counted in Redis in the step that claims a job, so a second one anywhere would show.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn two_workers_run_ten_thousand_jobs_of_a_python_client_once_each() {
    let redis = Redis::start().await;
    let (arq, yard) = (Arq::newest(BACKGROUND).codec("json"), Yard::new());
    let many = ["--max-jobs", "100"];
    let _a = yard.worker_with(&redis, "a", &many, "").await;
    let _b = yard.worker_with(&redis, "b", &many, "").await;
    let enqueue = ["enqueue_many", "j", "echo", &JOBS.to_string()];
    assert_eq!(arq.client(&redis, &enqueue).await, JOBS);
    all_have_run_once(&redis).await;
}

/// Waits until the service's tasks have ended; each thousand has its time.
async fn all_have_come_back(service: &Service) {
    for left in (0..JOBS).step_by(1000).rev() {
        eventually("tasks end", || async {
            let status = service.queue_status().await;
            let found = status["pending"].as_u64()? + status["active"].as_u64()?;
            (found <= left as u64).then_some(())
        })
        .await;
    }
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn two_workers_run_ten_thousand_tasks_of_a_service_once_each() {
    let redis = Redis::start().await;
    let yard = Yard::new();
    let many = ["--max-jobs", "100"];
    let _a = yard.worker_with(&redis, "a", &many, "").await;
    let _b = yard.worker_with(&redis, "b", &many, "").await;
    let echo = "[processors.far]\nkind = \"hive\"\nfunction = \"echo\"\ncodec = \"json\"\n";
    let service = hive(&redis).table(echo).start().await;
    let tasks =
        (0..JOBS).map(|number| json!({ "content": format!("t{number}"), "processor": "far" }));
    let tasks = json!({ "tasks": Vec::from_iter(tasks) });
    let created = service.post_json("/api/v1/tasks/batch", &tasks).await;
    created.expect(201);
    all_have_come_back(&service).await;
    all_have_run_once(&redis).await;
    let done = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED' AND attempt = 1
        AND result = 'Processed: ' || content";
    assert_eq!(service.database().await.number(done).await, JOBS as i64);
    service.ends_well().await;
}

/// Tasks that wait at a gate of their own: content by id, in the order in which they were submitted.
#[derive(Default)]
struct Gated(Vec<(String, String)>);

impl Gated {
    async fn submit(&mut self, service: &Service, count: usize) {
        for _ in 0..count {
            let content = format!("g{}", self.0.len());
            let id = service.submit_to("gate", &content).await;
            self.0.push((content, id));
        }
    }
}

/// How often each task was begun and let through, by its content; all workers together.
fn ledger(yard: &Yard, arq: &Arq, tasks: &Gated) -> HashMap<String, (usize, usize)> {
    let contents: HashMap<_, _> = tasks.0.iter().map(|(content, id)| (id, content)).collect();
    let mut ledger = HashMap::new();
    for line in yard.ledger().into_iter().chain(arq.ledger()) {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let content = contents.get(&words[1]).map_or(&words[1], |content| content);
        let counts: &mut (usize, usize) = ledger.entry(content.clone()).or_default();
        match words[0].as_str() {
            "run" => counts.0 += 1,
            "done" => counts.1 += 1,
            _ => {}
        }
    }
    ledger
}

/// Waits until so many of the worker's commands have begun.
async fn until_begun(yard: &Yard, count: usize) {
    eventually("the jobs run", || async {
        let ledger = yard.ledger();
        let begun = ledger.iter().filter(|line| line.starts_with("run "));
        (begun.count() == count).then_some(())
    })
    .await;
}

/// Three workers have ten jobs each and more wait when a worker, Redis and the service are killed in turn.
#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn a_fleet_whose_members_are_killed_loses_nothing() {
    const EACH: usize = 10;
    let mut redis = Redis::start().await;
    let (arq, yard) = (Arq::newest(BACKGROUND), Yard::new());
    let service = hive(&redis).table(&calls("gate", "")).start().await;
    let mut tasks = Gated::default();
    let a = yard.worker(&redis, "a").await;
    tasks.submit(&service, EACH).await;
    until_begun(&yard, EACH).await;
    let b = yard.worker(&redis, "b").await;
    tasks.submit(&service, EACH).await;
    until_begun(&yard, 2 * EACH).await;
    let python = arq.worker_for(&redis, EACH).await;
    tasks.submit(&service, EACH).await;
    arq.until_noted("run", EACH).await;
    tasks.submit(&service, EACH).await;
    until_queued(&redis, BACKGROUND, tasks.0.len()).await;

    a.kill9().await;
    redis.kill9().await;
    b.until_said("Redis is unreachable").await;
    // Those of the other worker end while nobody can be told.
    for (content, _) in &tasks.0[EACH..2 * EACH] {
        yard.open_gate(content);
        yard.until_noted(&format!("done {content} 1")).await;
    }
    redis.start_again().await;
    // ARQ's worker has died with the connection, or is about to.
    python.kill9().await;
    let service = service.kill9().await.start().await;
    for (content, _) in &tasks.0 {
        yard.open_gate(content);
        arq.open_gate(content);
    }
    // As the claims of the dead expire, after 30 s and after 310 s.
    for (_, id) in tasks.0[..EACH].iter().chain(&tasks.0[2 * EACH..3 * EACH]) {
        let claim = format!("arq:in-progress:{id}:1");
        redis.command(&["PEXPIRE", &claim, "1"]).await;
    }
    let _python = arq.worker_for(&redis, EACH).await;
    for (_, id) in &tasks.0 {
        let task = service.finished(id).await;
        let found = (&task["status"], &task["result"]);
        assert_eq!(
            found,
            (&json!("COMPLETED"), &json!("let through")),
            "{task}"
        );
        // The killed service's attempt and the one that went on with its job; the job is the same.
        assert!(task["attempt"].as_u64() <= Some(2), "{task}");
    }
    let ledger = ledger(&yard, &arq, &tasks);
    for (number, (content, _)) in tasks.0.iter().enumerate() {
        let (run, done) = ledger[content];
        match number / EACH {
            // What the killed worker had begun may go on beside its next start, until that kills it.
            0 => assert!((1..=2).contains(&done) && run == 2, "{content} {ledger:?}"),
            2 => assert_eq!((run, done), (2, 1), "{content} {ledger:?}"),
            _ => assert_eq!((run, done), (1, 1), "{content} {ledger:?}"),
        }
    }
    service.ends_well().await;
}

async fn order(service: &Service, command: &str) -> Value {
    let order = json!({ "command": command });
    let path = "/api/v1/hive/broadcast";
    service.post_json(path, &order).await.expect(200)
}

async fn until_paused(service: &Service, paused: bool) {
    eventually("the order is obeyed", || async {
        (service.queue_status().await["paused"] == paused).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs redis-server and arq: scripts/test installs them"]
async fn an_emergency_stop_of_the_hive_ends_all_that_runs_until_it_is_resumed() {
    for arq in Arq::both(BACKGROUND) {
        let redis = Redis::start().await;
        let _worker = arq.worker(&redis).await;
        let setup = || {
            let far = "[processors.far]\nkind = \"hive\"\nfunction = \"gate\"\n";
            hive(&redis).gates().table(far)
        };
        let services = two(&redis, setup).await;
        let mut running = Vec::new();
        for service in &services {
            running.push((service, service.submit_to("far", "never").await));
            running.push((service, service.submit_to_gate("never").await));
        }
        arq.until_noted("run", 2).await;

        assert_eq!(order(&services[0], "emergency_stop").await["receivers"], 2);
        for (service, id) in &running {
            let task = service.finished(id).await;
            assert_eq!(task["failure"], "emergency_stop", "{task}");
        }
        arq.until_noted("cancelled", 2).await;
        let mut waiting = Vec::new();
        for service in &services {
            until_paused(service, true).await;
            waiting.push((service, service.submit_to("far", "open").await));
            service.submit_to("gate", "waits").await;
        }
        for (service, id) in &waiting {
            let waited = service.get(&format!("/api/v1/tasks/{id}?wait=0.3")).await;
            assert_eq!(waited.expect(200)["status"], "PENDING");
            let status = service.queue_status().await;
            let found = (&status["active"], &status["pending"]);
            assert_eq!(found, (&json!(0), &json!(2)));
        }
        until_queued(&redis, BACKGROUND, 0).await;
        assert_eq!(arq.noted("run"), 2, "{:?}", arq.ledger());

        arq.open_gate("open");
        order(&services[1], "resume").await;
        for (service, id) in &waiting {
            let task = service.finished(id).await;
            assert_eq!(task["result"], "let through", "{task}");
            assert_eq!(arq.noted(&format!("run {id} ")), 1);
        }
        assert_eq!(arq.noted("run"), 4, "{:?}", arq.ledger());
    }
}
