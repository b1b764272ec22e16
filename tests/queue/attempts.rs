//! Attempts: how many there are, when the next begins, and what is known of each afterwards.

use serde_json::{Value, json};

use reqwest::Method;
use support::{Answer, Service, Setup, eventually};

/// No pause worth waiting for.
const AT_ONCE: &str = "backoff = { first = 0, max = 1 }";

async fn retry(service: &Service, id: &str) -> Answer {
    service.post(&format!("/api/v1/tasks/{id}/retry")).await
}

fn lines(task: &Value) -> Vec<&str> {
    let logs = task["logs"].as_array().expect("a log");
    logs.iter().map(|line| line.as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_log_of_the_service_has_the_error_of_a_failed_task() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("fails").await;
    service.say(&id, "fail for good").await;
    let error = service.finished(&id).await["error"].clone();
    let error = error.as_str().expect("an error").to_owned();
    let log = service.setup().log();
    let line = log
        .lines()
        .find(|line| line.contains("task failed") && line.contains(&id));
    let line = line.unwrap_or_else(|| panic!("{log}"));
    assert!(line.contains(&error), "{error}: {line}");
    service.ends_well().await;
}

#[tokio::test]
async fn retries_by_hand_of_an_older_version_are_known_after_the_upgrade() {
    let service = Service::with_gates().await;
    let id = service.submit_to_gate("fails").await;
    service.say(&id, "fail for good").await;
    service.finished(&id).await;
    let mut listener = service.listen("").await;
    service
        .post(&format!("/api/v1/tasks/{id}/retry"))
        .await
        .expect(200);
    let retried = listener.until("TASK_RETRYING", &id).await;
    assert_eq!(retried.last().expect("an event")["data"]["by_hand"], true);
    service.say_again(&id, 2, "open").await;
    service.finished(&id).await;
    let stopped = service.stop().await;
    let mut database = stopped.database().await;
    let older =
        "UPDATE logs SET data = json_remove(data, '$.by_hand') WHERE type = 'TASK_RETRYING';
                 DELETE FROM _sqlx_migrations WHERE version = 8";
    database.run(older).await.expect("no refusal");
    drop(database);
    let service = stopped.start().await;
    let report = service.get("/api/v1/doctor?full=true").await.expect(200);
    assert_eq!(report["healthy"], true, "{report}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_is_tried_as_often_as_it_says_and_each_attempt_is_on_record() {
    let service = Setup::new().gate_processor("gate", AT_ONCE).start().await;
    let mut listener = service.listen("").await;
    let task = json!({"content": "stubborn", "processor": "gate", "max_attempts": 3});
    let id = service.submit_json(&task).await;
    service.say_again(&id, 1, "fail first").await;
    let retrying = listener.until("TASK_RETRYING", &id).await;
    let data = &retrying.last().unwrap()["data"];
    assert_eq!(data["attempt"], 1);
    assert_eq!(data["error"], "first");
    service.say_again(&id, 2, "fail second").await;
    service.at_gate_again(&id, 3).await;
    let running = service.task(&id).await;
    assert_eq!(running["error"], "second");
    assert_eq!(running["failure"], Value::Null);
    service.say_again(&id, 3, "fail third").await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "FAILED");
    assert_eq!(task["failure"], "error");
    assert_eq!(task["error"], "third");
    assert_eq!(
        (&task["attempt"], &task["max_attempts"]),
        (&json!(3), &json!(3))
    );
    let lines = lines(&task);
    let begins = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
    assert_eq!(begins("Processing started: "), 3);
    assert_eq!(
        begins("Attempt 1 failed: first; the next one is due at "),
        1
    );
    assert_eq!(
        begins("Attempt 2 failed: second; the next one is due at "),
        1
    );
    assert_eq!(begins("Processing failed: third"), 1);
    service.ends_well().await;
}

#[tokio::test]
async fn a_processor_says_how_often_unless_the_task_does() {
    let settings = format!("max_attempts = 2\n{AT_ONCE}");
    let service = Setup::new().gate_processor("gate", &settings).start().await;
    let by_processor = service.submit_to("gate", "").await;
    let own = json!({"content": "", "processor": "gate", "max_attempts": 1});
    let own = service.submit_json(&own).await;
    let insert = "INSERT INTO tasks(content, processor) VALUES ('by sql', 'gate')";
    service.database().await.run(insert).await.unwrap();
    let by_sql = "SELECT id FROM tasks WHERE content = 'by sql'";
    let by_sql = service.database().await.text(by_sql).await;
    for (id, attempts) in [(&by_processor, 2), (&own, 1), (&by_sql, 2)] {
        for attempt in 1..=attempts {
            service.say_again(id, attempt, "fail no").await;
        }
        let task = service.finished(id).await;
        assert_eq!(task["attempt"], attempts);
        assert_eq!(task["max_attempts"], attempts);
    }
    service.ends_well().await;
}

#[tokio::test]
async fn the_next_attempt_waits_for_its_time() {
    let settings = "backoff = { first = 3600, max = 36000, jitter = 0 }";
    let service = Setup::new().gate_processor("gate", settings).start().await;
    let task = json!({"content": "", "processor": "gate", "max_attempts": 3});
    let id = service.submit_json(&task).await;
    for (attempt, pause) in [(1, 3600.0), (2, 7200.0)] {
        service.say_again(&id, attempt, "fail no").await;
        let waiting = eventually("the task waits", || async {
            let task = service.task(&id).await;
            (task["status"] == "PENDING").then_some(task)
        })
        .await;
        let started = format!(
            "SELECT unixepoch(run_at, 'subsec') - unixepoch(max(at), 'subsec')
               FROM tasks JOIN logs ON task_id = tasks.id
              WHERE tasks.id = '{id}' AND type = 'TASK_STARTED'"
        );
        let mut database = service.database().await;
        let wait: f64 = sqlx::Row::get(&database.rows(&started).await[0], 0);
        assert!((pause..pause + 300.0).contains(&wait), "{wait}: {waiting}");
        assert_eq!(waiting["started_at"], Value::Null);
        let explained = service.get(&format!("/api/v1/tasks/{id}/explain")).await;
        let explained = explained.expect(200);
        assert_eq!(explained["reasons"][0]["type"], "not_due", "{explained}");
        // Another program may lose patience.
        let now = format!(
            "UPDATE tasks SET run_at = strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'
              WHERE id = '{id}'"
        );
        database.run(&now).await.unwrap();
    }
    service.say_again(&id, 3, "open").await;
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_timeout_is_tried_again_and_is_the_failure_of_the_last() {
    let settings = format!("timeout = 300\n{AT_ONCE}");
    let service = Setup::new().gate_processor("gate", &settings).start().await;
    let task = json!({
        "content": "", "processor": "gate", "max_attempts": 2, "timeout": 0.2,
    });
    let id = service.submit_json(&task).await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["failure"], &task["attempt"]),
        (&json!("timeout"), &json!(2))
    );
    assert_eq!(task["error"], "timed out after 0.2 s");
    assert_eq!(task["timeout"], json!(0.2));
    service.ends_well().await;
}

#[tokio::test]
async fn an_attempt_that_a_stop_interrupts_does_not_count() {
    let service = Setup::new().gate_processor("gate", AT_ONCE).start().await;
    let task = json!({"content": "", "processor": "gate", "max_attempts": 2});
    let id = service.submit_json(&task).await;
    service.at_gate(&id).await;
    let service = service.ends_well().await.start().await;
    service.at_gate_again(&id, 2).await;
    let service = service.kill9().await.start().await;
    for attempt in [3, 4] {
        service.say_again(&id, attempt, "fail no").await;
    }
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["failure"], &task["attempt"]),
        (&json!("error"), &json!(4))
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_that_cannot_wait_again_takes_no_other_with_it() {
    let service = Service::with_gates().await;
    let leap = json!({"content": "guilty", "processor": "gate", "run_at": "2016-12-31T23:59:60Z"});
    let guilty = service.submit_json(&leap).await;
    let innocent = service.submit_to_gate("innocent").await;
    for id in [&guilty, &innocent] {
        service.at_gate(id).await;
    }
    let run_at = &service.task(&guilty).await["run_at"];
    assert_eq!(run_at, "2017-01-01T00:00:00.000000Z");
    let refuse = "CREATE TRIGGER refuse BEFORE UPDATE OF uncounted ON tasks
                  WHEN NEW.content = 'guilty' AND NEW.status = 'PENDING'
                  BEGIN SELECT RAISE(ABORT, 'refused by a stranger'); END";
    service.database().await.run(refuse).await.unwrap();
    let service = service.stop().await.start().await;
    let failed = service.task(&guilty).await;
    assert_eq!(failed["failure"], "error", "{failed}");
    let error = failed["error"].as_str().unwrap();
    assert!(error.contains("refused by a stranger"), "{error}");
    service.say_again(&innocent, 2, "open").await;
    assert_eq!(service.finished(&innocent).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_waiting_attempt_and_its_error_survive_a_crash() {
    let settings = "backoff = { first = 3600, max = 3600 }";
    let service = Setup::new().gate_processor("gate", settings).start().await;
    let task = json!({"content": "", "processor": "gate", "max_attempts": 2});
    let id = service.submit_json(&task).await;
    service.say(&id, "fail at first").await;
    let before = eventually("the task waits", || async {
        let task = service.task(&id).await;
        (task["status"] == "PENDING").then_some(task)
    })
    .await;
    let service = service.kill9().await.start().await;
    assert_eq!(service.task(&id).await, before);
    assert_eq!(before["error"], "at first");
    service.ends_well().await;
}

#[tokio::test]
async fn what_has_failed_can_be_retried_by_hand_with_all_its_attempts() {
    let service = Setup::new().gate_processor("gate", AT_ONCE).start().await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("gate", "").await;
    service.say(&id, "fail once").await;
    service.finished(&id).await;
    retry(&service, &id).await.expect(200);
    listener.until("TASK_RETRYING", &id).await;
    service.at_gate_again(&id, 2).await;
    let again = service.task(&id).await;
    assert_eq!(
        (&again["status"], &again["failure"]),
        (&json!("PROCESSING"), &Value::Null)
    );
    assert_eq!(again["error"], "once");
    assert_eq!(
        retry(&service, &id).await.sentence(409),
        "Only a task that has FAILED can be retried."
    );
    service.say_again(&id, 2, "open").await;
    assert_eq!(service.finished(&id).await["status"], "COMPLETED");
    let refused = retry(&service, &id).await;
    assert_eq!(refused.status, 409);
    let nobody = "00000000-0000-4000-8000-000000000000";
    assert_eq!(
        retry(&service, nobody).await.sentence(404),
        "Task not found"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_purged_task_can_be_retried_too() {
    let service = Service::start().await;
    service.pause().await;
    let id = service.submit("hello").await;
    service.purge().await;
    assert_eq!(service.task(&id).await["failure"], "purged");
    retry(&service, &id).await.expect(200);
    assert_eq!(service.task(&id).await["status"], "PENDING");
    service.resume().await;
    assert_eq!(service.finished(&id).await["result"], "Processed: hello");
    service.ends_well().await;
}

#[tokio::test]
async fn finished_tasks_can_be_deleted_with_their_logs_and_no_others() {
    let service = Service::with_gates().await;
    let running = service.submit_to_gate("runs").await;
    let done = service.submit("done").await;
    service.finished(&done).await;
    let delete = |id: &str| {
        let request = service.request(Method::DELETE, &format!("/api/v1/tasks/{id}"));
        async { Answer::of(request).await }
    };
    assert_eq!(delete(&done).await.status, 204);
    assert_eq!(delete(&done).await.sentence(404), "Task not found");
    let refused = delete(&running).await.sentence(409);
    assert!(refused.contains("finished"), "{refused}");
    let left = format!("SELECT count(*) FROM logs WHERE task_id = '{done}'");
    assert_eq!(service.database().await.number(&left).await, 0);
    service.open_gate(&running).await;
    service.ends_well().await;
}

/// A time that a retry keeps.
const LATER: &str = "2999-01-01T00:00:00.000000Z";

#[tokio::test]
async fn a_retry_keeps_the_time_of_what_never_began_unless_it_is_to_start_now() {
    let service = Service::start().await;
    let later = json!({"content": "later", "run_at": LATER});
    let (one, other) = (
        service.submit_json(&later).await,
        service.submit_json(&later).await,
    );
    service.emergency_stop().await;
    service.resume().await;
    let said = retry(&service, &one).await.expect(200);
    let message = said["message"].as_str().expect("a sentence");
    assert!(message.contains(LATER), "{message}");
    let path = "/api/v1/tasks/retry?failure=purged";
    let done = service.post(path).await.expect(200);
    assert_eq!(done["changed"], 1);
    // A task that comes after them has run, and they have not.
    let plain = service.submit("plain").await;
    service.finished(&plain).await;
    for id in [&one, &other] {
        let task = service.task(id).await;
        assert_eq!(
            (&task["status"], &task["run_at"]),
            (&json!("PENDING"), &json!(LATER))
        );
    }
    let events = service.replay().await;
    let retried = events.iter().filter(|it| it["type"] == "TASK_RETRYING");
    let times: Vec<_> = retried.map(|it| it["data"]["run_at"].clone()).collect();
    assert_eq!(times, [LATER, LATER]);

    service.purge().await;
    let now = format!("/api/v1/tasks/{one}/retry?now=true");
    let said = service.post(&now).await.expect(200);
    assert_eq!(said["success"], true);
    let path = "/api/v1/tasks/retry?failure=purged&now=true";
    let done = service.post(path).await.expect(200);
    assert_eq!(done["changed"], 1);
    for id in [&one, &other] {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
    let problem = service.post(&now.replace("true", "soon")).await.problem();
    assert_eq!(problem["loc"], json!(["query", "now"]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_retry_of_what_has_begun_or_was_due_starts_at_once() {
    let settings = "max_attempts = 2\nbackoff = { first = 3600, max = 3600 }";
    let service = Setup::new().gate_processor("gate", settings).start().await;
    let mut listener = service.listen("").await;
    let begun = service.submit_to("gate", "begun").await;
    service.say(&begun, "fail once").await;
    listener.until("TASK_RETRYING", &begun).await;
    service.pause().await;
    let due = service.submit("due").await;
    service.purge().await;
    service.resume().await;
    for id in [&begun, &due] {
        let said = retry(&service, id).await.expect(200);
        assert_eq!(said["success"], true);
    }
    service.say_again(&begun, 2, "open").await;
    for id in [&begun, &due] {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
    service.ends_well().await;
}
