//! What outside workers have is theirs through a restart of the service, clean or by `kill -9`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::StatusCode;
use serde_json::{Value, json};

use support::{Service, Setup, Stopped};

/// A lease of a second, and no pause before the next attempt.
const SHORT: &str = "lease = 1\nmax_attempts = 2\nbackoff = { first = 0 }";

/// How a service ends before the next start.
#[derive(Clone, Copy, Debug)]
enum End {
    Stop,
    Kill,
}

impl End {
    const BOTH: [Self; 2] = [Self::Stop, Self::Kill];

    async fn of(self, service: Service) -> Stopped {
        match self {
            Self::Stop => service.stop().await,
            Self::Kill => service.kill9().await,
        }
    }
}

fn id_of(task: &Value) -> &str {
    task["id"].as_str().expect("an id")
}

/// Submits this many tasks to `outside` and claims them.
async fn claimed(service: &Service, count: usize) -> Vec<Value> {
    for number in 0..count {
        service.submit_to("outside", &number.to_string()).await;
    }
    let mut tasks = Vec::new();
    while tasks.len() < count {
        tasks.extend(service.claim(json!({ "wait": 60, "limit": 10 })).await);
    }
    tasks
}

#[tokio::test]
async fn a_restart_costs_no_worker_its_work() {
    for end in End::BOTH {
        let service = Service::with_worker("max_attempts = 2\nbackoff = { first = 0 }").await;
        let tasks = claimed(&service, 3).await;
        let service = end.of(service).await.start().await;
        for task in &tasks {
            for (verb, fields) in [
                ("heartbeat", json!({})),
                ("log", json!({ "line": "still at it" })),
                ("progress", json!({ "progress": 0.5 })),
            ] {
                let renewed = service.tell(task, verb, fields).await.expect(200);
                assert!(renewed["lease_expires_at"].is_string(), "{end:?}");
            }
            let other = json!({ "id": task["id"], "attempt": 2 });
            let refused = service.tell(&other, "heartbeat", json!({})).await;
            assert!(refused.sentence(409).starts_with("Attempt 2 "));
        }
        assert_eq!(service.queue_status().await["active"], 3);
        assert_eq!(service.claim(json!({})).await, [Value::Null; 0]);

        // A second restart is no different.
        let service = end.of(service).await.start().await;
        for task in &tasks[..2] {
            service.complete(task, "the result").await;
            let done = service.task(id_of(task)).await;
            assert_eq!(
                (&done["status"], &done["attempt"], &done["result"]),
                (&json!("COMPLETED"), &json!(1), &json!("the result"))
            );
            assert!(done["logs"].to_string().contains("still at it"));
        }
        let failed = service.tell(&tasks[2], "fail", json!({ "error": "no luck" }));
        assert_eq!(failed.await.expect(200)["status"], "PENDING");
        let again = service.claim_one().await;
        assert_eq!(again["attempt"], 2);
        service.complete(&again, "").await;

        let mut database = service.database().await;
        let counts = "SELECT printf('%s attempt %d uncounted %d crashes %d', status, attempt,
                                    uncounted, crashes)
                        FROM tasks ORDER BY seq";
        let rows = database.texts(counts).await;
        let first = "COMPLETED attempt 1 uncounted 0 crashes 0";
        let last = "COMPLETED attempt 2 uncounted 0 crashes 0";
        assert_eq!(rows, [first, first, last], "{end:?}");
        let completed = "SELECT count(*) FROM logs WHERE type = 'TASK_COMPLETED'";
        assert_eq!(database.number(completed).await, 3);
        drop(database);
        service.ends_well().await;
    }
}

#[tokio::test]
async fn no_word_of_a_worker_is_refused_for_good_while_the_service_stops_and_starts() {
    for end in End::BOTH {
        let service = Service::with_worker("").await;
        let task = claimed(&service, 1).await.remove(0);
        let over = Arc::<AtomicBool>::default();
        let heartbeats = |service: &Service| {
            let url = service.url(&format!("/api/v1/worker/{}/heartbeat", id_of(&task)));
            let over = Arc::clone(&over);
            tokio::spawn(async move {
                let client = reqwest::Client::new();
                let mut statuses = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let beat = client.post(&url).json(&json!({ "attempt": 1 }));
                    match beat.send().await {
                        Ok(answer) => statuses.push(answer.status()),
                        Err(_) if statuses.is_empty() => {}
                        Err(_) => break,
                    }
                }
                statuses
            })
        };
        let before = heartbeats(&service);
        let service = end.of(service).await.start().await;
        let after = heartbeats(&service);
        service.complete(&task, "").await;
        over.store(true, Ordering::Relaxed);
        let mut statuses = before.await.expect("no panic");
        let after = after.await.expect("no panic");
        // The last ones may come after the end.
        statuses.extend(after.into_iter().filter(|it| *it != StatusCode::CONFLICT));
        let fine = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        assert!(
            statuses.iter().all(|status| fine.contains(status)),
            "{end:?}: {statuses:?}"
        );
        service.ends_well().await;
    }
}

#[tokio::test]
async fn a_worker_that_is_gone_with_the_service_costs_its_task_no_attempt() {
    for end in End::BOTH {
        // One attempt is all that the task has.
        let service = Service::with_worker("lease = 1").await;
        let silent = claimed(&service, 1).await.remove(0);
        let service = end.of(service).await.start().await;
        // It has its whole lease, however long the service was away; then the next one gets it.
        let next = service.claim_one().await;
        assert_eq!((&next["id"], &next["attempt"]), (&silent["id"], &json!(2)));
        let late = json!({ "result": "late" });
        service.tell(&silent, "complete", late).await.sentence(409);

        // One that has spoken since the start and then goes silent is a lost attempt.
        let service = end.of(service).await.start().await;
        let heartbeat = service.tell(&next, "heartbeat", json!({})).await;
        heartbeat.expect(200);
        let lost = service.finished(id_of(&silent)).await;
        assert_eq!(
            (&lost["status"], &lost["failure"], &lost["attempt"]),
            (&json!("FAILED"), &json!("lost"), &json!(2)),
            "{end:?}"
        );
        assert_eq!(lost["error"], "the worker sent no heartbeat for 1 s");
        service.ends_well().await;
    }
}

#[tokio::test]
async fn what_workers_have_is_counted_and_can_be_stopped_after_a_restart() {
    let limits = "concurrency = 2\nrate = \"3/h\"";
    let keys = "[concurrency_keys.one]\nconcurrency = 1\n";
    for end in End::BOTH {
        let setup = Setup::new().worker_processor(limits).table(keys);
        let service = setup.start().await;
        let keyed = json!({ "content": "", "processor": "outside", "concurrency_key": "one" });
        let first = service.submit_json(&keyed).await;
        let task = service.claim_one().await;
        assert_eq!(id_of(&task), first);
        let service = end.of(service).await.start().await;

        // Its key is taken.
        let second = service.submit_json(&keyed).await;
        assert_eq!(service.claim(json!({})).await, [Value::Null; 0]);
        let explained = service
            .get(&format!("/api/v1/tasks/{second}/explain"))
            .await;
        let explained = explained.expect(200)["reasons"].to_string();
        assert!(explained.contains("key_limit"), "{explained}");
        assert!(explained.contains(&first), "{explained}");
        // So is one of the processor's two slots; and one of its three starts an hour, once.
        let other = service.submit_to("outside", "").await;
        assert_eq!(id_of(&service.claim_one().await), other);
        service.submit_to("outside", "").await;
        assert_eq!(service.claim(json!({})).await, [Value::Null; 0]);
        // An abort frees both.
        service.abort(&first).await.expect(200);
        service
            .tell(&task, "heartbeat", json!({}))
            .await
            .sentence(409);
        assert_eq!(id_of(&service.claim_one().await), second);
        let explained = service
            .get("/api/v1/tasks?status=PENDING")
            .await
            .expect(200);
        assert_eq!(explained.as_array().expect("a list").len(), 1);
        assert_eq!(service.claim(json!({})).await, [Value::Null; 0]);

        let service = end.of(service).await.start().await;
        let stopped = service.emergency_stop().await;
        assert_eq!(
            (&stopped["cancelled"], &stopped["purged"]),
            (&json!(2), &json!(1))
        );
        let held = "SELECT count(*) FROM tasks WHERE leased_until IS NOT NULL";
        assert_eq!(service.database().await.number(held).await, 0);
        service.ends_well().await;
    }
}

#[tokio::test]
async fn a_worker_keeps_its_task_when_its_processor_is_gone_or_another() {
    let echo = "[processors.outside]\nkind = \"echo\"\nconcurrency = 1\n";
    for (tables, lease) in [("", 60.0), (echo, 60.0)] {
        let service = Service::with_worker("max_attempts = 2\nbackoff = { first = 0 }").await;
        let tasks = claimed(&service, 2).await;
        let stopped = service.kill9().await.with_tables(tables);
        let service = stopped.start().await;
        for task in &tasks {
            service.tell(task, "heartbeat", json!({})).await.expect(200);
        }
        assert_eq!(tasks[0]["lease_seconds"], lease);
        service.complete(&tasks[0], "the result").await;
        assert_eq!(service.task(id_of(&tasks[0])).await["result"], "the result");
        // The next attempt is for whatever the processor is by now.
        let failed = service.tell(&tasks[1], "fail", json!({ "error": "no luck" }));
        assert_eq!(failed.await.expect(200)["status"], "PENDING");
        if tables == echo {
            let done = service.finished(id_of(&tasks[1])).await;
            assert_eq!(
                (&done["attempt"], &done["status"]),
                (&json!(2), &json!("COMPLETED"))
            );
        }
        service.ends_well().await;
    }
}

#[tokio::test]
async fn the_lease_is_the_one_that_the_settings_have_after_the_restart() {
    let service = Service::with_worker("lease = 3600").await;
    let task = claimed(&service, 1).await.remove(0);
    let short = format!("[processors.outside]\nkind = \"worker\"\n{SHORT}\n");
    let service = service.stop().await.with_tables(&short).start().await;
    // The old lease would keep the task for an hour.
    assert_eq!(service.claim_one().await["id"], task["id"]);
    service.ends_well().await;
}

#[tokio::test]
async fn a_timeout_that_ran_out_while_the_service_was_away_leaves_time_to_hand_in() {
    let service = Service::with_worker("").await;
    let body = json!({ "content": "", "processor": "outside", "timeout": 1 });
    let id = service.submit_json(&body).await;
    let task = service.claim_one().await;
    let stopped = service.kill9().await;
    // Until the attempt is older than it may become.
    let mut database = stopped.database().await;
    let is_over = "SELECT julianday('now') - julianday(started_at) > 1.5 / 86400 FROM tasks";
    while database.number(is_over).await == 0 {
        tokio::task::yield_now().await;
    }
    drop(database);
    let service = stopped.start().await;
    service
        .tell(&task, "heartbeat", json!({}))
        .await
        .expect(200);
    service.complete(&task, "was ready in time").await;
    assert_eq!(service.task(&id).await["result"], "was ready in time");
    service.ends_well().await;
}

#[tokio::test]
async fn the_row_says_that_a_worker_has_the_attempt() {
    let service = Service::with_worker("lease = 90\nmax_attempts = 2").await;
    service.finished(&service.submit("runs here").await).await;
    let mut database = service.database().await;
    let held = "SELECT count(*) FROM tasks WHERE leased_until IS NOT NULL";
    assert_eq!(database.number(held).await, 0);
    // One that waited for its worker, and one that its worker waited for.
    let tasks = claimed(&service, 1).await;
    let poll = service.poll();
    let other = service.submit_to("outside", "").await;
    poll.await.expect("no panic").expect(200);
    let seconds = "SELECT CAST(round(86400 * (julianday(leased_until) - julianday(started_at)))
                          AS INTEGER)
                     FROM tasks WHERE status = 'PROCESSING' AND leased_until > started_at";
    assert_eq!(
        database
            .texts(&format!("SELECT CAST(({seconds} LIMIT 1) AS TEXT)"))
            .await,
        ["90"]
    );
    assert_eq!(database.number(held).await, 2);
    let failed = service.tell(&tasks[0], "fail", json!({ "error": "no luck" }));
    failed.await.expect(200);
    assert_eq!(database.number(held).await, 1);
    let attempt = json!({ "id": other, "attempt": 1 });
    service.complete(&attempt, "").await;
    assert_eq!(database.number(held).await, 0);
    drop(database);
    service.ends_well().await;
}
