//! How the attempts of outside workers end: by their word, by their silence, by a stop, by a crash.

use serde_json::{Value, json};

use support::{Service, Setup, tasks_of};

/// A lease of a second, and no pause before the next attempt.
const SHORT: &str = "lease = 1\nmax_attempts = 2\nbackoff = { first = 0 }";

fn id_of(task: &Value) -> &str {
    task["id"].as_str().expect("an id")
}

/// The status, failure and error of a task.
fn ending(task: &Value) -> [&str; 3] {
    ["status", "failure", "error"].map(|name| task[name].as_str().unwrap_or_default())
}

#[tokio::test]
async fn a_failure_is_tried_again_unless_it_says_not_to() {
    let service = Service::with_worker(SHORT).await;
    let id = service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    let failed = service.tell(&task, "fail", json!({ "error": "no luck" }));
    assert_eq!(failed.await.expect(200)["status"], "PENDING");
    let task = service.task(&id).await;
    assert_eq!(ending(&task), ["PENDING", "", "no luck"]);

    let task = service.claim_one().await;
    assert_eq!((id_of(&task), &task["attempt"]), (&*id, &json!(2)));
    let failed = service.tell(&task, "fail", json!({ "error": "again" }));
    assert_eq!(failed.await.expect(200)["status"], "FAILED");
    let task = service.task(&id).await;
    assert_eq!(ending(&task), ["FAILED", "error", "again"]);

    let id = service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    let for_good = json!({ "error": "nonsense", "retry": false });
    let failed = service.tell(&task, "fail", for_good).await;
    assert_eq!(failed.expect(200)["status"], "FAILED");
    assert_eq!(service.task(&id).await["attempt"], 1);
    service.ends_well().await;
}

#[tokio::test]
async fn silence_is_a_lost_attempt() {
    let service = Service::with_worker(SHORT).await;
    let id = service.submit_to("outside", "").await;
    let silent = service.claim_one().await;
    // The next one waits until the first one's lease is over.
    let task = service.claim(json!({ "wait": 60, "worker": "blue" })).await;
    let task = &task[0];
    assert_eq!((id_of(task), &task["attempt"]), (&*id, &json!(2)));
    assert_eq!(task["error"], "the worker sent no heartbeat for 1 s");
    // Who has lost it is told so, and disturbs nobody.
    for (verb, fields) in [
        ("heartbeat", json!({})),
        ("log", json!({ "line": "still here" })),
        ("progress", json!({ "progress": 1 })),
        ("complete", json!({ "result": "late" })),
        ("fail", json!({ "error": "late" })),
    ] {
        let sentence = service.tell(&silent, verb, fields).await.sentence(409);
        assert!(sentence.starts_with("Attempt 1 "), "{sentence}");
    }
    let task = service.finished(&id).await;
    let error = "worker blue sent no heartbeat for 1 s";
    assert_eq!(ending(&task), ["FAILED", "lost", error]);
    assert_eq!(task["progress"], Value::Null);
    service.ends_well().await;
}

#[tokio::test]
async fn every_sign_of_life_renews_the_lease() {
    let service = Service::with_worker("lease = 1").await;
    let mut tasks = Vec::new();
    for content in ["silent", "heartbeat", "log", "progress"] {
        service.submit_to("outside", content).await;
    }
    while tasks.len() < 4 {
        tasks.extend(service.claim(json!({ "wait": 60, "limit": 4 })).await);
    }
    let silent = tasks.remove(0);
    while service.task(id_of(&silent)).await["status"] == "PROCESSING" {
        for task in &tasks {
            let verb = task["content"].as_str().expect("a verb");
            let fields = match verb {
                "log" => json!({ "line": "at it" }),
                "progress" => json!({ "progress": 0.5 }),
                _ => json!({}),
            };
            service.tell(task, verb, fields).await.expect(200);
        }
    }
    assert_eq!(service.task(id_of(&silent)).await["failure"], "lost");
    for task in &tasks {
        service.complete(task, "in time").await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn an_aborted_task_is_nobodys() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    service
        .tell(&task, "heartbeat", json!({}))
        .await
        .expect(200);
    service.abort(&id).await.expect(200);
    service
        .tell(&task, "heartbeat", json!({}))
        .await
        .sentence(409);
    let late = json!({ "result": "late" });
    service.tell(&task, "complete", late).await.sentence(409);
    assert_eq!(
        ending(&service.task(&id).await),
        ["FAILED", "aborted", "aborted"]
    );
    // An emergency stop and a timeout are no different.
    service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    service.emergency_stop().await;
    service
        .tell(&task, "heartbeat", json!({}))
        .await
        .sentence(409);
    service.resume().await;
    let body = json!({ "content": "", "processor": "outside", "timeout": 0.1 });
    let id = service.submit_json(&body).await;
    let task = service.claim_one().await;
    assert_eq!(service.finished(&id).await["failure"], "timeout");
    service
        .tell(&task, "heartbeat", json!({}))
        .await
        .sentence(409);
    service.ends_well().await;
}

#[tokio::test]
async fn a_claim_that_is_cut_off_takes_nothing() {
    let service = Service::with_worker("").await;
    service.pause().await;
    let id = service.submit_to("outside", "").await;
    for _ in 0..3 {
        let poll = service.poll();
        service.is_asked_for(&id, true).await;
        poll.abort();
        service.is_asked_for(&id, false).await;
    }
    service.resume().await;
    let task = service.claim_one().await;
    assert_eq!((id_of(&task), &task["attempt"]), (&*id, &json!(1)));
    service.complete(&task, "").await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_clean_stop_answers_who_waits_for_tasks() {
    let service = Service::with_worker("").await;
    service.pause().await;
    let waiting = service.submit_to("outside", "").await;
    let poll = service.poll();
    service.is_asked_for(&waiting, true).await;
    let stopped = service.stop().await;
    let refused = poll.await.expect("no panic");
    assert_eq!(refused.sentence(503), "The service is shutting down.");
    assert!(refused.headers.contains_key("retry-after"));
    let row = "SELECT printf('%s %d uncounted %d', status, attempt, uncounted) FROM tasks";
    let row = stopped.database().await.text(row).await;
    assert_eq!(row, "PENDING 0 uncounted 0");
}

#[tokio::test]
async fn what_runs_at_a_stop_may_be_completed_while_the_service_waits_for_others() {
    let setup = Setup::new().worker_processor("").gates();
    let service = setup.setting("shutdown_grace", 300).start().await;
    let gate = service.submit_to_gate("holds up the stop").await;
    service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    service.terminate();
    loop {
        let body = json!({ "processors": ["outside"] });
        let answer = service.post_json("/api/v1/worker/claim", &body).await;
        if answer.status == 503 {
            break;
        }
        assert_eq!(tasks_of(&answer), [Value::Null; 0]);
    }
    service
        .tell(&task, "heartbeat", json!({}))
        .await
        .expect(200);
    service.complete(&task, "in its grace").await;
    service.say(&gate, "open").await;
    let stopped = service.ended().await;
    let result = "SELECT result FROM tasks WHERE processor = 'outside'";
    assert_eq!(stopped.database().await.text(result).await, "in its grace");
}

#[tokio::test]
async fn a_stop_does_not_wait_for_workers() {
    let setup = Setup::new().worker_processor("");
    // Longer than the test may take.
    let service = setup.setting("shutdown_grace", 300).start().await;
    service.submit_to("outside", "").await;
    let task = service.claim_one().await;
    let service = service.stop().await.start().await;
    service.complete(&task, "after the stop").await;
    service.ends_well().await;
}
