//! Tasks that come after others.

use reqwest::Method;
use serde_json::{Value, json};

use support::{Answer, Backend, Service, Setup, eventually};

async fn after(service: &Service, ids: &[&str], processor: &str) -> String {
    let task = json!({"content": "then", "processor": processor, "after": ids});
    service.submit_json(&task).await
}

async fn reasons(service: &Service, id: &str) -> Value {
    let explained = service
        .get(&format!("/api/v1/tasks/{id}/explain"))
        .await
        .expect(200);
    explained["reasons"].clone()
}

#[tokio::test]
async fn a_task_runs_when_all_before_it_have_completed() {
    let service = Service::with_gates().await;
    let one = service.submit_to_gate("one").await;
    let two = service.submit_to_gate("two").await;
    let done = service.submit("done").await;
    service.finished(&done).await;
    let then = after(&service, &[&one, &two, &done, &one], "echo").await;
    let why = reasons(&service, &then).await;
    let waits_for: Vec<_> = why
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["task_id"].clone())
        .collect();
    assert_eq!(json!(waits_for), json!([one, two]));
    assert_eq!(service.queue_status().await["pending"], 1);
    service.open_gate(&one).await;
    assert_eq!(service.task(&then).await["status"], "PENDING");
    service.open_gate(&two).await;
    let task = service.finished(&then).await;
    assert_eq!(task["status"], "COMPLETED");
    assert_eq!(task["after"], json!([one, two, done]));
    service.ends_well().await;
}

#[tokio::test]
async fn the_results_of_those_before_it_are_handed_to_a_command() {
    let reader = "[processors.reader]\nkind = \"command\"\nprogram = \"sh\"\nargs = [\"-c\", 'cat \"$VENOM_UPSTREAM\"']";
    let service = Setup::new().table(reader).start().await;
    let one = service.submit("one").await;
    let two = service.submit("two").await;
    let then = after(&service, &[&two, &one], "reader").await;
    let task = service.finished(&then).await;
    let handed: Value = serde_json::from_str(task["result"].as_str().unwrap()).unwrap();
    assert_eq!(
        handed,
        json!([
            {"id": two, "status": "COMPLETED", "result": "Processed: two"},
            {"id": one, "status": "COMPLETED", "result": "Processed: one"},
        ])
    );
    service.ends_well().await;
}

#[tokio::test]
async fn who_waits_for_a_failure_fails_and_so_on_down_the_chain() {
    let service = Service::with_gates().await;
    let mut listener = service.listen("").await;
    let first = service.submit_to_gate("first").await;
    let second = after(&service, &[&first], "echo").await;
    let third = after(&service, &[&second], "echo").await;
    service.say(&first, "fail for good").await;
    for id in [&second, &third] {
        let failed = listener.until("TASK_FAILED", id).await;
        assert_eq!(failed.last().unwrap()["data"]["failure"], "upstream");
        let task = service.task(id).await;
        assert_eq!(
            (&task["status"], &task["failure"]),
            (&json!("FAILED"), &json!("upstream"))
        );
    }
    // A task submitted after the failure fails like one submitted before it.
    let late = after(&service, &[&first], "echo").await;
    assert_eq!(service.finished(&late).await["failure"], "upstream");

    // Only from the top can it be retried.
    let refused = service.post(&format!("/api/v1/tasks/{third}/retry")).await;
    let sentence = refused.sentence(409);
    assert!(sentence.contains(&second), "{sentence}");
    for id in [&first, &second, &third] {
        let answer = service.post(&format!("/api/v1/tasks/{id}/retry")).await;
        answer.expect(200);
    }
    assert_eq!(service.task(&third).await["status"], "PENDING");
    service.say_again(&first, 2, "open").await;
    assert_eq!(service.finished(&third).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_chain_is_retried_whole_and_waits_through_a_restart() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let second = after(&service, &[&first], "echo").await;
    let third = after(&service, &[&second], "echo").await;
    service.say(&first, "fail for good").await;
    service.finished(&third).await;
    let waiting = "/api/v1/tasks/retry?processor=echo";
    let answer = service.post(waiting).await.expect(200);
    assert_eq!(
        (&answer["matched"], &answer["changed"]),
        (&json!(2), &json!(0))
    );
    let all = "/api/v1/tasks/retry?status=FAILED";
    let answer = service.post(all).await.expect(200);
    assert_eq!(answer["changed"], 3);
    service.at_gate_again(&first, 2).await;
    let service = service.kill9().await.start().await;
    service.at_gate_again(&first, 3).await;
    // Who comes later disturbs nobody.
    let late = after(&service, &[&first], "echo").await;
    assert_eq!(service.task(&second).await["status"], "PENDING");
    service.say_again(&first, 3, "open").await;
    for id in [&third, &late] {
        assert_eq!(service.finished(id).await["status"], "COMPLETED");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_failure_that_was_deleted_is_not_forgotten() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let then = after(&service, &[&first], "echo").await;
    service.say(&first, "fail for good").await;
    service.finished(&then).await;
    service.delete(&first).await;
    let refused = service.post(&format!("/api/v1/tasks/{then}/retry")).await;
    assert!(refused.sentence(409).contains(&first));
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_is_kept_until_all_that_come_after_it_have_finished() {
    let service = Service::with_gates().await;
    let (one, two) = (
        service.submit_to_gate("1").await,
        service.submit_to_gate("2").await,
    );
    let held = service.submit_to_gate("held").await;
    let both = after(&service, &[&one, &held], "echo").await;
    for upstream in [&one, &two] {
        let task = json!({"content": "x", "after": [upstream]});
        let tasks = json!({"tasks": vec![task; 1000]});
        let answer = service.post_json("/api/v1/tasks/batch", &tasks).await;
        answer.expect(201);
    }
    service.open_gate(&one).await;
    service.finished(&one).await;
    service.open_gate(&two).await;
    service.finished(&two).await;
    // `both` waits for `held` besides; the others may have run already.
    let refused = service.request(Method::DELETE, &format!("/api/v1/tasks/{one}"));
    Answer::of(refused).await.sentence(409);

    let why = reasons(&service, &both).await;
    let why = why.as_array().unwrap().iter();
    let waits_for: Vec<_> = why
        .filter(|it| it["type"] == "upstream")
        .map(|it| &it["task_id"])
        .collect();
    assert_eq!(waits_for, [held.as_str()]);
    service.open_gate(&held).await;
    service.drained().await;
    let done = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED'";
    assert_eq!(service.database().await.number(done).await, 2004);
    let bulk = service.request(Method::DELETE, "/api/v1/tasks?processor=gate");
    assert_eq!(Answer::of(bulk).await.expect(200)["changed"], 3);
    service.ends_well().await;
}

#[tokio::test]
async fn a_failed_attempt_is_no_failure_yet() {
    let setup =
        Setup::new().gate_processor("gate", "max_attempts = 2\nbackoff = { first = 0, max = 1 }");
    let service = setup.start().await;
    let first = service.submit_to("gate", "").await;
    let then = after(&service, &[&first], "echo").await;
    service.say(&first, "fail once").await;
    service.at_gate_again(&first, 2).await;
    assert_eq!(service.task(&then).await["status"], "PENDING");
    service.say_again(&first, 2, "open").await;
    assert_eq!(service.finished(&then).await["status"], "COMPLETED");
    service.ends_well().await;
}

#[tokio::test]
async fn a_chain_survives_crashes_and_purges() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let then = after(&service, &[&first], "echo").await;
    let service = service.kill9().await.start().await;
    assert_eq!(reasons(&service, &then).await[0]["type"], "upstream");
    // It ends while nobody is there to go through those that wait for it.
    service.at_gate_again(&first, 2).await;
    let stopped = service.kill9().await;
    let finish = format!(
        "UPDATE tasks SET status = 'COMPLETED', result = 'by hand',
                finished_at = strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z' WHERE id = '{first}'"
    );
    stopped.database().await.run(&finish).await.unwrap();
    let tell = format!(
        "INSERT INTO logs(task_id, type, message) VALUES ('{first}', 'TASK_COMPLETED', 'by hand')"
    );
    stopped.database().await.run(&tell).await.unwrap();
    let service = stopped.start().await;
    assert_eq!(service.finished(&then).await["status"], "COMPLETED");

    let held = service.submit_to_gate("held").await;
    let waiting = after(&service, &[&held], "echo").await;
    service.pause().await;
    assert_eq!(service.purge().await["removed"], 1);
    assert_eq!(service.task(&waiting).await["failure"], "purged");
    service.resume().await;
    service.open_gate(&held).await;
    service.ends_well().await;
}

#[tokio::test]
async fn many_may_wait_for_one() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let task = json!({"content": "x", "after": [first]});
    let tasks = json!({"tasks": vec![task; 1000]});
    service
        .post_json("/api/v1/tasks/batch", &tasks)
        .await
        .expect(201);
    assert_eq!(service.queue_status().await["pending"], 1000);
    service.open_gate(&first).await;
    service.drained().await;
    let done = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED'";
    assert_eq!(service.database().await.number(done).await, 1001);
    service.ends_well().await;
}

#[tokio::test]
async fn a_chain_goes_out_with_the_dump_and_comes_in_again() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let then = after(&service, &[&first], "echo").await;
    let dump = service.get("/api/v1/export").await;
    let other = Setup::new().gates().start().await;
    other
        .post_text("/api/v1/import", dump.text().to_owned())
        .await
        .expect(200);
    assert_eq!(reasons(&other, &then).await[0]["task_id"], json!(first));
    other.at_gate_again(&first, 2).await;
    other.say_again(&first, 2, "open").await;
    assert_eq!(other.finished(&then).await["status"], "COMPLETED");
    other.ends_well().await;
    service.open_gate(&first).await;
    service.finished(&then).await;
    service.ends_well().await;
}

/// A task that has failed because the result of `upstream` is missing; it must not have run.
async fn check_failed_without(service: &Service, id: &str, upstream: &str) {
    let task = service.finished(id).await;
    assert_eq!(
        (&task["status"], &task["failure"], &task["result"]),
        (&json!("FAILED"), &json!("upstream"), &Value::Null),
        "{task}"
    );
    let error = task["error"].as_str().expect("an error");
    assert!(error.contains(upstream), "{error}");
}

#[tokio::test]
async fn a_dump_without_an_upstream_task_fails_who_waits_for_it() {
    let service = Service::with_gates().await;
    let gone = service.submit("gone").await;
    let held = service.submit_to_gate("held").await;
    let then = after(&service, &[&gone, &held], "echo").await;
    let last = after(&service, &[&then], "echo").await;
    service.finished(&gone).await;
    let mut dump = service.get("/api/v1/export").await.expect(200);
    let tasks = dump["tasks"].as_array_mut().expect("tasks");
    tasks.retain(|task| task["id"] != gone.as_str());
    let other = Setup::new().gates().start().await;
    let import = other.post_json("/api/v1/import", &dump);
    import.await.expect(200);
    check_failed_without(&other, &then, &gone).await;
    check_failed_without(&other, &last, &then).await;
    other.say_again(&held, 2, "open").await;
    other.finished(&held).await;
    other.ends_well().await;
    service.open_gate(&held).await;
    service.finished(&last).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_dump_with_a_circle_fails_its_tasks_and_who_waits_for_them() {
    let service = Service::start().await;
    let id = |number: u32| format!("00000000-0000-4000-8000-{number:012}");
    let task = |number, after: &[u32]| {
        let after: Vec<_> = after.iter().map(|number| id(*number)).collect();
        json!({ "id": id(number), "content": "round", "status": "PENDING", "after": after,
                "created_at": "2026-01-01T00:00:00Z" })
    };
    let tasks = [
        task(1, &[]),
        task(2, &[1, 3]),
        task(3, &[2]),
        task(4, &[3]),
        task(5, &[5]),
        task(6, &[1]),
    ];
    let dump = json!({ "tasks": tasks });
    let import = service.post_json("/api/v1/import", &dump).await;
    assert_eq!(import.expect(200)["imported"], 6);
    for (number, upstream) in [(2, 3), (3, 2), (4, 3), (5, 5)] {
        let task = service.finished(&id(number)).await;
        assert_eq!(task["failure"], "upstream", "{task}");
        let error = task["error"].as_str().expect("an error");
        assert!(error.contains(&id(upstream)) || number == 5, "{error}");
        assert_eq!(error.contains("waits for itself"), number != 4, "{error}");
    }
    for number in [1, 6] {
        assert_eq!(service.finished(&id(number)).await["status"], "COMPLETED");
    }
    let report = service.get("/api/v1/doctor?full=true").await.expect(200);
    assert_eq!(report["healthy"], true, "{report}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_circle_that_another_program_makes_is_a_finding_of_the_doctor() {
    let service = Service::with_gates().await;
    let held = service.submit_to_gate("held").await;
    let one = after(&service, &[&held], "echo").await;
    let two = after(&service, &[&one], "echo").await;
    let circle = format!(
        "INSERT INTO links VALUES ('{two}', '{one}');
         UPDATE tasks SET blocked = blocked + 1 WHERE id = '{one}'"
    );
    service
        .database()
        .await
        .run(&circle)
        .await
        .expect("no refusal");
    let report = service.get("/api/v1/doctor?full=true").await.expect(200);
    assert_eq!(report["healthy"], false);
    assert!(report.to_string().contains("in a circle"), "{report}");
    service.purge().await;
    service.open_gate(&held).await;
    let clean = "DELETE FROM links";
    service
        .database()
        .await
        .run(clean)
        .await
        .expect("no refusal");
    service.ends_well().await;
}

#[tokio::test]
async fn what_an_open_task_needs_is_not_deleted() {
    let service = Service::with_gates().await;
    let done = service.submit("done").await;
    let other = service.submit("other").await;
    service.finished(&done).await;
    service.finished(&other).await;
    let held = service.submit_to_gate("held").await;
    let then = after(&service, &[&done, &held], "gate").await;
    let refused = service.request(Method::DELETE, &format!("/api/v1/tasks/{done}"));
    let sentence = Answer::of(refused).await.sentence(409);
    assert!(sentence.contains(&then), "{sentence}");
    let bulk = || service.request(Method::DELETE, "/api/v1/tasks?processor=echo");
    let answer = Answer::of(bulk()).await.expect(200);
    assert_eq!(
        (&answer["matched"], &answer["changed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(answer["skipped"], json!({ "needed": 1 }));
    let message = answer["message"].as_str().expect("a sentence");
    assert!(message.contains("need"), "{message}");
    // Also while it runs, and only until it has ended.
    service.open_gate(&held).await;
    service.at_gate(&then).await;
    assert_eq!(Answer::of(bulk()).await.expect(200)["changed"], 0);
    service.open_gate(&then).await;
    service.finished(&then).await;
    assert_eq!(Answer::of(bulk()).await.expect(200)["changed"], 1);
    // What has failed and is retried by hand needs it again.
    let first = service.submit("first").await;
    service.finished(&first).await;
    let fails = after(&service, &[&first], "gate").await;
    service.say(&fails, "fail for good").await;
    service.finished(&fails).await;
    service.pause().await;
    service
        .post(&format!("/api/v1/tasks/{fails}/retry"))
        .await
        .expect(200);
    let refused = service.request(Method::DELETE, &format!("/api/v1/tasks/{first}"));
    assert!(Answer::of(refused).await.sentence(409).contains(&fails));
    service.purge().await;
    service.delete(&first).await;
    let retry = service.post(&format!("/api/v1/tasks/{fails}/retry")).await;
    assert!(retry.sentence(409).contains(&first));
    let retry = service
        .post("/api/v1/tasks/retry?processor=gate")
        .await
        .expect(200);
    assert_eq!(
        (&retry["matched"], &retry["changed"]),
        (&json!(1), &json!(0))
    );
    service.resume().await;
    service.ends_well().await;
}

/// Takes a task away as `sqlite3` would.
async fn delete_by_sql(service: &Service, id: &str) {
    let delete = format!(
        "BEGIN; DELETE FROM logs WHERE task_id = '{id}'; DELETE FROM tasks WHERE id = '{id}'; COMMIT"
    );
    service
        .database()
        .await
        .run(&delete)
        .await
        .expect("no refusal");
}

#[tokio::test]
async fn a_task_whose_input_was_deleted_by_sql_fails_and_does_not_run() {
    let table = "[processors.outside]\nkind = \"worker\"\nlease = 60\n";
    let setup =
        Setup::new().gate_processor("gate", "max_attempts = 2\nbackoff = { first = 0, max = 1 }");
    let service = setup.table(table).start().await;
    let done = service.submit("done").await;
    service.finished(&done).await;
    // Between two attempts.
    let between = after(&service, &[&done], "gate").await;
    service.at_gate(&between).await;
    // Before its start.
    service.pause().await;
    let ready = after(&service, &[&done], "echo").await;
    // For a worker.
    let outside = after(&service, &[&done], "outside").await;
    // While it waits for another one too.
    let held = service.submit("held").await;
    let blocked = after(&service, &[&done, &held], "echo").await;
    delete_by_sql(&service, &done).await;
    service.say(&between, "fail once").await;
    service.left_gate(&between).await;
    service.resume().await;
    let claim = json!({ "processors": ["outside"], "wait": 2 });
    let claimed = service.post_json("/api/v1/worker/claim", &claim).await;
    assert!(!claimed.text().contains(&outside), "{}", claimed.text());
    for id in [&between, &ready, &outside, &blocked] {
        check_failed_without(&service, id, &done).await;
    }
    service.ends_well().await;
}

#[tokio::test]
async fn who_waits_for_a_task_that_is_deleted_by_sql_does_not_wait_for_ever() {
    let service = Service::with_gates().await;
    service.pause().await;
    let first = service.submit("first").await;
    let then = after(&service, &[&first], "echo").await;
    let last = after(&service, &[&then], "echo").await;
    delete_by_sql(&service, &first).await;
    check_failed_without(&service, &then, &first).await;
    check_failed_without(&service, &last, &then).await;
    // While the service is away too.
    let first = service.submit("first").await;
    let then = after(&service, &[&first], "echo").await;
    let stopped = service.stop().await;
    let delete = format!(
        "DELETE FROM logs WHERE task_id = '{first}'; DELETE FROM tasks WHERE id = '{first}'"
    );
    stopped
        .database()
        .await
        .run(&delete)
        .await
        .expect("no refusal");
    let service = stopped.start().await;
    check_failed_without(&service, &then, &first).await;
    service.ends_well().await;
}

#[tokio::test]
async fn an_unknown_task_cannot_be_waited_for() {
    let service = Service::start().await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    let task = json!({"content": "x", "after": [nobody]});
    let problem = service.post_json("/api/v1/tasks", &task).await.problem();
    assert_eq!(problem["loc"], json!(["body", "after"]));
    assert_eq!(problem["input"], nobody);
    eventually("nothing is stored", || async {
        (service.get("/api/v1/tasks").await.text() == "[]").then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn what_cannot_be_read_at_the_moment_costs_no_attempt() {
    let backend = Backend::start().await;
    let url = backend.url();
    let table =
        format!("[processors.model]\nkind = \"llm\"\nbase_url = \"{url}\"\nmodel = \"m\"\n");
    let service = Setup::new().table(&table).start().await;
    let first = service.submit("first").await;
    service.finished(&first).await;
    service.pause().await;
    let body = json!({ "content": "", "processor": "model", "after": [first], "max_attempts": 1 });
    let id = service.submit_json(&body).await;
    // A read that SQLite fails, as it does when it gets no answer from the disk.
    let mut database = service.database().await;
    let hidden = format!("UPDATE tasks SET upstream = '{{' || upstream WHERE id = '{id}'");
    database.run(&hidden).await.expect("no refusal");
    service.resume().await;
    eventually("the read has failed", || async {
        let log = service.setup().log();
        log.contains("cannot be read").then_some(())
    })
    .await;
    let status = format!("SELECT status FROM tasks WHERE id = '{id}'");
    assert_eq!(database.text(&status).await, "PROCESSING");
    let shown = format!("UPDATE tasks SET upstream = substr(upstream, 2) WHERE id = '{id}'");
    database.run(&shown).await.expect("no refusal");
    let call = backend.next().await;
    let question = call.json()["messages"][0]["content"].to_string();
    assert!(question.contains("Processed: first"), "{question}");
    let text = "data: {\"choices\": [{\"delta\": {\"content\": \"two\"}}]}\n\ndata: [DONE]\n\n";
    call.answer("200 OK", "", text).await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "COMPLETED", "{task}");
    assert_eq!(task["attempt"], 1);
    drop(database);
    service.ends_well().await;
}
