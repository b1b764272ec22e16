//! The queue as a whole: its status, pause, resume, purge; and the abort of one task.

use serde_json::{Value, json};

use support::{Service, Setup};

/// The object without its `message`, which has to be a sentence.
fn without_message(mut answer: Value) -> Value {
    let message = answer.as_object_mut().unwrap().shift_remove("message");
    let message = message.expect("a message");
    assert!(message.as_str().unwrap().ends_with('.'), "{message}");
    answer
}

#[tokio::test]
async fn the_status_counts_what_waits_and_what_runs() {
    let service = Service::with_gates().await;
    let status = |paused, pending, running| {
        json!({"paused": paused, "pending": pending, "active": running,
               "processing": running, "limit": 5})
    };
    assert_eq!(service.queue_status().await, status(false, 0, 0));
    let running = service.submit_to_gate("runs").await;
    assert_eq!(service.queue_status().await, status(false, 0, 1));
    service.pause().await;
    service.submit("waits").await;
    service.submit("waits too").await;
    assert_eq!(service.queue_status().await, status(true, 2, 1));
    service.open_gate(&running).await;
    assert_eq!(service.queue_status().await, status(true, 2, 0));
    service.resume().await;
    service.drained().await;
    assert_eq!(service.queue_status().await, status(false, 0, 0));
    service.ends_well().await;
}

#[tokio::test]
async fn a_pause_starts_nothing_more_and_lets_running_tasks_go_on() {
    let service = Service::with_gates().await;
    let running = service.submit_to_gate("runs").await;
    let paused = without_message(service.pause().await);
    assert_eq!(
        paused,
        json!({"success": true, "paused": true, "active_tasks": 1})
    );
    let waiting = service.submit("waits").await;
    assert_eq!(service.open_gate(&running).await["status"], "COMPLETED");
    assert_eq!(service.task(&waiting).await["status"], "PENDING");

    let resumed = without_message(service.resume().await);
    assert_eq!(
        resumed,
        json!({"success": true, "paused": false, "pending_tasks": 1})
    );
    assert_eq!(service.finished(&waiting).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn pausing_and_resuming_twice_is_the_same_as_once() {
    let service = Service::start().await;
    service.resume().await;
    let reason = json!({"reason": "maintenance"});
    for _ in 0..2 {
        service
            .post_json("/api/v1/queue/pause", &reason)
            .await
            .expect(200);
    }
    service.resume().await;
    service.resume().await;
    let types: Vec<_> = service
        .replay()
        .await
        .iter()
        .map(|e| e["type"].clone())
        .collect();
    assert_eq!(types, ["QUEUE_PAUSED", "QUEUE_RESUMED"]);
    service.ends_well().await;
}

#[tokio::test]
async fn what_a_pause_is_told_is_checked() {
    let service = Service::start().await;
    for (body, loc) in [
        (json!({"reason": 5}), json!(["body", "reason"])),
        (json!({"colour": "red"}), json!(["body", "colour"])),
    ] {
        let problem = service
            .post_json("/api/v1/queue/pause", &body)
            .await
            .problem();
        assert_eq!(problem["loc"], loc);
    }
    let problem = service
        .post_json("/api/v1/queue/pause", &json!([1]))
        .await
        .problem();
    assert_eq!(problem["loc"][0], "body");
    assert_eq!(service.queue_status().await["paused"], false);
    service.ends_well().await;
}

#[tokio::test]
async fn a_pause_survives_a_restart_and_a_crash() {
    let service = Service::start().await;
    service.pause().await;
    let waiting = service.submit("waits").await;
    let service = service.ends_well().await.start().await;
    assert_eq!(service.queue_status().await["paused"], true);
    let service = service.kill9().await.start().await;
    let status = service.queue_status().await;
    assert_eq!(
        (&status["paused"], &status["pending"]),
        (&json!(true), &json!(1))
    );
    service.resume().await;
    service.finished(&waiting).await;
    let service = service.ends_well().await.start().await;
    assert_eq!(service.queue_status().await["paused"], false);
    service.ends_well().await;
}

#[tokio::test]
async fn a_purge_fails_what_waits_and_nothing_else() {
    let service = Service::with_gates().await;
    let done = service.submit("done").await;
    service.finished(&done).await;
    let running = service.submit_to_gate("runs").await;
    service.pause().await;
    // More than the service purges at a time.
    let mut database = service.database().await;
    let many = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 1100)
                INSERT INTO tasks(content) SELECT 'task ' || i FROM n";
    database.run(many).await.unwrap();
    let waiting = service.submit("waits").await;

    let purged = without_message(service.purge().await);
    assert_eq!(
        purged,
        json!({"success": true, "removed": 1101, "active_tasks": 1})
    );
    let task = service.task(&waiting).await;
    assert_eq!(task["status"], "FAILED");
    assert_eq!(task["failure"], "purged");
    assert_eq!(task["attempt"], 0);
    assert_eq!(task["started_at"], Value::Null);
    assert!(
        task["error"].is_string() && task["finished_at"].is_string(),
        "{task}"
    );
    assert_eq!(service.task(&done).await["status"], "COMPLETED");
    assert_eq!(service.task(&running).await["status"], "PROCESSING");
    let again = without_message(service.purge().await);
    assert_eq!(
        again,
        json!({"success": true, "removed": 0, "active_tasks": 1})
    );
    service.open_gate(&running).await;
    service.ends_well().await;
}

#[tokio::test]
async fn an_abort_ends_a_running_task_before_it_is_answered() {
    let service = Service::with_gates().await;
    let (id, other) = (
        service.submit_to_gate("stop me").await,
        service.submit_to_gate("go on").await,
    );
    let answer = without_message(service.abort(&id).await.expect(200));
    assert_eq!(answer, json!({"success": true, "task_id": id}));
    let task = service.task(&id).await;
    assert_eq!(task["status"], "FAILED");
    assert_eq!(task["failure"], "aborted");
    assert_eq!(task["result"], Value::Null);
    assert_eq!(service.queue_status().await["active"], 1);
    assert_eq!(service.open_gate(&other).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn only_a_running_task_can_be_aborted() {
    let service = Service::with_gates().await;
    let finished = service.submit("finished").await;
    service.finished(&finished).await;
    let aborted = service.submit_to_gate("aborted").await;
    service.abort(&aborted).await.expect(200);
    service.pause().await;
    let waiting = service.submit("waits").await;
    let unknown = "00000000-0000-0000-0000-000000000000".to_owned();
    for id in [&finished, &aborted, &waiting, &unknown] {
        service.abort(id).await.sentence(404);
    }
    assert_eq!(service.task(&finished).await["status"], "COMPLETED");
    assert_eq!(service.task(&waiting).await["status"], "PENDING");
    service.ends_well().await;
}

#[tokio::test]
async fn two_aborts_of_one_task_end_it_once() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("stop me").await;
    let (one, two) = tokio::join!(service.abort(&id), service.abort(&id));
    let statuses = [one.status, two.status];
    assert!(statuses.contains(&200), "{statuses:?}");
    assert!(
        statuses.iter().all(|status| [200, 404].contains(status)),
        "{statuses:?}"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_takes_too_long_fails_as_timeout() {
    let setup = Setup::new().gate_processor("hasty", "timeout = 0.2");
    let service = setup.start().await;
    let id = service.submit_to("hasty", "take your time").await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "FAILED");
    assert_eq!(task["failure"], "timeout");
    service.ends_well().await;
}
