//! Retry, abort and delete of all tasks of a filter.

use reqwest::Method;
use serde_json::{Value, json};

use support::ids;
use support::{Answer, Service, Setup, eventually};

/// A processor whose tasks fail at once, until a file of this name is there.
fn failing(setup: Setup) -> Setup {
    let cure = setup.folder().join("cured");
    setup.table(&format!(
        "[processors.failing]\nkind = \"command\"\nprogram = \"test\"\nargs = [\"-e\", {:?}]\n",
        cure.display().to_string()
    ))
}

async fn call(service: &Service, method: Method, path: &str) -> Value {
    let answer = Answer::of(service.request(method, path)).await.expect(200);
    let keys: Vec<_> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(
        keys,
        ["success", "matched", "changed", "dry_run", "message"]
    );
    assert_eq!(answer["success"], true);
    answer
}

fn counts(answer: &Value) -> (u64, u64, bool) {
    let count = |name: &str| answer[name].as_u64().expect("a count");
    (
        count("matched"),
        count("changed"),
        answer["dry_run"] == true,
    )
}

#[tokio::test]
async fn without_a_filter_nothing_is_touched() {
    let service = Service::start().await;
    let id = service.submit("precious").await;
    service.finished(&id).await;
    for (method, path) in [
        (Method::DELETE, "/api/v1/tasks"),
        (Method::POST, "/api/v1/tasks/retry"),
        (Method::POST, "/api/v1/tasks/abort"),
    ] {
        for query in ["", "?dry_run=true", "?dry_run=false"] {
            let request = service.request(method.clone(), &format!("{path}{query}"));
            let problem = Answer::of(request).await.problem();
            assert_eq!(problem["loc"], json!(["query"]), "{method} {path}{query}");
        }
        for (query, name) in [
            ("limit=5", "limit"),
            ("dry_run=perhaps", "dry_run"),
            ("status=X", "status"),
        ] {
            let request = service.request(method.clone(), &format!("{path}?tag=a&{query}"));
            let problem = Answer::of(request).await.problem();
            assert_eq!(
                problem["loc"],
                json!(["query", name]),
                "{method} {path} {query}"
            );
        }
    }
    service.task(&id).await;
    service.ends_well().await;
}

#[tokio::test]
async fn deletion_takes_final_tasks_of_the_filter_with_their_logs() {
    let service = Service::with_gates().await;
    let done = service
        .submit_json(&json!({"content": "done", "tags": ["old"]}))
        .await;
    service.finished(&done).await;
    let other = service
        .submit_json(&json!({"content": "other", "tags": ["new"]}))
        .await;
    service.finished(&other).await;
    let failed = service
        .submit_json(&json!({"content": "failed", "processor": "gate", "tags": ["old"]}))
        .await;
    service.say(&failed, "fail").await;
    service.finished(&failed).await;
    let running = service
        .submit_json(&json!({"content": "running", "processor": "gate", "tags": ["old"]}))
        .await;
    service.at_gate(&running).await;

    let path = "/api/v1/tasks?tag=old";
    let answer = call(&service, Method::DELETE, &format!("{path}&dry_run=true")).await;
    assert_eq!(counts(&answer), (2, 0, true));
    assert_eq!(ids(&service.get(path).await.expect(200)).len(), 3);
    let answer = call(&service, Method::DELETE, path).await;
    assert_eq!(counts(&answer), (2, 2, false));
    assert_eq!(
        ids(&service.get(path).await.expect(200)),
        [running.as_str()]
    );
    let logs = format!("SELECT count(*) FROM logs WHERE task_id IN ('{done}', '{failed}')");
    assert_eq!(service.database().await.number(&logs).await, 0);
    service.task(&other).await;

    let answer = call(&service, Method::DELETE, "/api/v1/tasks?status=PROCESSING").await;
    assert_eq!(counts(&answer), (0, 0, false));
    let answer = call(&service, Method::DELETE, "/api/v1/tasks?status=COMPLETED").await;
    assert_eq!(counts(&answer), (1, 1, false));
    service.open_gate(&running).await;
    service.ends_well().await;
}

#[tokio::test]
async fn abort_stops_the_running_tasks_of_the_filter() {
    let service = Service::with_gates().await;
    let mut chosen = Vec::new();
    for number in 0..3 {
        let body = json!({"content": format!("{number}"), "processor": "gate", "session_id": "s"});
        chosen.push(service.submit_json(&body).await);
    }
    let other = service.submit_to_gate("other").await;
    for id in &chosen {
        service.at_gate(id).await;
    }
    let path = "/api/v1/tasks/abort?session_id=s";
    let answer = call(&service, Method::POST, &format!("{path}&dry_run=true")).await;
    assert_eq!(counts(&answer), (3, 0, true));
    let answer = call(&service, Method::POST, path).await;
    assert_eq!(counts(&answer), (3, 3, false));
    for id in &chosen {
        assert_eq!(service.task(id).await["failure"], "aborted");
    }
    assert_eq!(service.task(&other).await["status"], "PROCESSING");
    let answer = call(&service, Method::POST, path).await;
    assert_eq!(counts(&answer), (0, 0, false));
    service.open_gate(&other).await;
    service.ends_well().await;
}

#[tokio::test]
async fn two_thousand_failed_tasks_are_retried_while_others_are_submitted() {
    const TASKS: usize = 2000;
    let service = failing(Setup::new()).start().await;
    // Purged, they have failed without a process for each.
    service.pause().await;
    let tasks: Vec<_> = (0..TASKS)
        .map(|n| json!({"content": format!("{n}"), "tags": ["many"]}))
        .collect();
    service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
        .await
        .expect(201);
    let purged = service.purge().await;
    assert_eq!(purged["removed"], TASKS);
    service.resume().await;
    let retried = call(
        &service,
        Method::POST,
        "/api/v1/tasks/retry?status=FAILED&tag=many",
    );
    let others = async {
        for number in 0..20 {
            let id = service.submit(&format!("meanwhile {number}")).await;
            service.finished(&id).await;
        }
    };
    let (answer, ()) = tokio::join!(retried, others);
    assert_eq!(counts(&answer), (TASKS as u64, TASKS as u64, false));
    service.drained().await;
    let mut database = service.database().await;
    let done = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED'";
    assert_eq!(database.number(done).await, TASKS as i64 + 20);
    let told = "SELECT count(DISTINCT task_id) FROM logs WHERE type = 'TASK_RETRYING'";
    assert_eq!(database.number(told).await, TASKS as i64);
    let answer = call(&service, Method::POST, "/api/v1/tasks/retry?status=FAILED").await;
    assert_eq!(counts(&answer), (0, 0, false));
    service.ends_well().await;
}

#[tokio::test]
async fn a_retry_visits_each_task_once_also_if_it_fails_again() {
    let service = failing(Setup::new()).start().await;
    for number in 0..5 {
        let id = service.submit_to("failing", &format!("{number}")).await;
        service.finished(&id).await;
    }
    let path = "/api/v1/tasks/retry?processor=failing";
    let answer = call(&service, Method::POST, path).await;
    assert_eq!(counts(&answer), (5, 5, false));
    service.drained().await;
    std::fs::write(service.setup().folder().join("cured"), "").expect("a folder to write in");
    let answer = call(&service, Method::POST, path).await;
    assert_eq!(counts(&answer), (5, 5, false));
    service.drained().await;
    let attempts = "SELECT count(*) FROM tasks WHERE status = 'COMPLETED' AND attempt = 3";
    assert_eq!(service.database().await.number(attempts).await, 5);
    service.ends_well().await;
}

#[tokio::test]
async fn of_one_unique_key_only_one_task_is_retried() {
    let service = Service::with_gates().await;
    let body = |key: &str| json!({"content": key, "processor": "gate", "unique_key": key});
    for key in ["twice", "twice", "taken"] {
        let id = service.submit_json(&body(key)).await;
        service.say(&id, "fail").await;
        service.finished(&id).await;
    }
    let holder = service.submit_json(&body("taken")).await;
    service.at_gate(&holder).await;
    let answer = call(&service, Method::POST, "/api/v1/tasks/retry?processor=gate").await;
    assert_eq!(counts(&answer), (3, 1, false));
    let open = "SELECT count(*) FROM tasks WHERE finished_at IS NULL";
    assert_eq!(service.database().await.number(open).await, 2);
    service.ends_well().await;
}

#[tokio::test]
async fn a_chain_that_failed_is_retried_in_its_order() {
    let service = Service::with_gates().await;
    let first = service.submit_to_gate("first").await;
    let second = service
        .submit_json(&json!({"content": "second", "after": [first]}))
        .await;
    service.say(&first, "fail").await;
    assert_eq!(service.finished(&second).await["failure"], "upstream");
    let answer = call(&service, Method::POST, "/api/v1/tasks/retry?status=FAILED").await;
    assert_eq!(counts(&answer), (2, 2, false));
    service.at_gate_again(&first, 2).await;
    assert_eq!(service.task(&second).await["status"], "PENDING");
    // Those that wait for it keep a final task from being deleted.
    service.say_again(&first, 2, "fail again").await;
    eventually("the chain has failed", || async {
        let task = service.task(&second).await;
        (task["status"] == "FAILED").then_some(())
    })
    .await;
    let answer = call(&service, Method::DELETE, "/api/v1/tasks?status=FAILED").await;
    assert_eq!(counts(&answer), (2, 2, false));
    service.ends_well().await;
}
