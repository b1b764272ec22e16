//! Once only: unique keys, idempotency keys, and many tasks in one request.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use support::{Answer, Service};

async fn with_key(service: &Service, key: &str, body: &Value) -> Answer {
    let request = service.request(Method::POST, "/api/v1/tasks");
    Answer::of(request.header("Idempotency-Key", key).json(body)).await
}

#[tokio::test]
async fn a_unique_key_is_free_again_when_its_task_is_final() {
    let service = Service::with_gates().await;
    let task = json!({"content": "", "processor": "gate", "unique_key": "report"});
    let first = service.submit_json(&task).await;
    let refused = service.post_json("/api/v1/tasks", &task).await.expect(409);
    assert_eq!(refused["task_id"], json!(first));
    assert!(
        refused["detail"].as_str().unwrap().contains(&first),
        "{refused}"
    );
    let service = service.kill9().await.start().await;
    assert_eq!(service.post_json("/api/v1/tasks", &task).await.status, 409);
    service.say_again(&first, 2, "fail no").await;
    service.finished(&first).await;
    let second = service.submit_json(&task).await;
    // While another has the key, the first cannot come back.
    let retry = service.post(&format!("/api/v1/tasks/{first}/retry")).await;
    assert_eq!(retry.status, 409);
    service.open_gate(&second).await;
    service.ends_well().await;
}

#[tokio::test]
async fn of_a_hundred_identical_requests_one_is_accepted() {
    let service = Service::start().await;
    service.pause().await;
    let task = json!({"content": "once", "unique_key": "k"});
    let answers = (0..100).map(|_| service.post_json("/api/v1/tasks", &task));
    let answers = join_all(answers).await;
    let accepted: Vec<_> = answers.iter().filter(|it| it.status == 201).collect();
    assert_eq!(accepted.len(), 1);
    let id = accepted[0].json()["task_id"].clone();
    for refused in answers.iter().filter(|it| it.status != 201) {
        assert_eq!(refused.expect(409)["task_id"], id);
    }

    let body = json!({"content": "the same"});
    let answers = (0..100).map(|_| with_key(&service, "abc", &body));
    let answers = join_all(answers).await;
    let first = answers[0].expect(201);
    for answer in &answers {
        assert_eq!(answer.expect(201), first);
    }
    let count = "SELECT count(*) FROM tasks WHERE content = 'the same'";
    assert_eq!(service.database().await.number(count).await, 1);
    service.resume().await;
    service.ends_well().await;
}

#[tokio::test]
async fn an_idempotency_key_gives_the_first_answer_again() {
    let service = Service::start().await;
    let body = json!({"content": "hello"});
    let first = with_key(&service, "order 66", &body).await.expect(201);
    let id = first["task_id"].as_str().unwrap();
    service.finished(id).await;
    assert_eq!(
        with_key(&service, "order 66", &body).await.expect(201),
        first
    );
    let service = service.kill9().await.start().await;
    assert_eq!(
        with_key(&service, "order 66", &body).await.expect(201),
        first
    );
    let other = json!({"content": "something else"});
    let problem = with_key(&service, "order 66", &other).await.problem();
    assert_eq!(problem["loc"], json!(["header", "Idempotency-Key"]));
    let long = "x".repeat(256);
    let problem = with_key(&service, &long, &body).await.problem();
    assert_eq!(problem["loc"], json!(["header", "Idempotency-Key"]));
    let count = "SELECT count(*) FROM tasks";
    assert_eq!(service.database().await.number(count).await, 1);
    service.ends_well().await;
}

#[tokio::test]
async fn a_batch_is_all_or_none() {
    let service = Service::start().await;
    let tasks = json!({"tasks": [{"content": "a"}, {"content": "b"}, {"content": "c"}]});
    let answer = service
        .post_json("/api/v1/tasks/batch", &tasks)
        .await
        .expect(201);
    let ids = answer["task_ids"].as_array().unwrap();
    for (id, content) in ids.iter().zip(["a", "b", "c"]) {
        assert_eq!(
            service.finished(id.as_str().unwrap()).await["content"],
            content
        );
    }
    let taken = json!({"content": "x", "unique_key": "k", "delay": 3600});
    service.submit_json(&taken).await;
    for (tasks, status, loc) in [
        (
            json!([{"content": "a"}, {"content": 5}]),
            422,
            json!(["body", "tasks", 1, "content"]),
        ),
        (
            json!([{"content": "a"}, {}]),
            422,
            json!(["body", "tasks", 1, "content"]),
        ),
        (
            json!([{"content": "a", "unique_key": "q"}, {"content": "b", "unique_key": "q"}]),
            422,
            json!(["body", "tasks", 1, "unique_key"]),
        ),
        (
            json!([{"content": "a"}, {"content": "b", "after": ["00000000-0000-4000-8000-000000000000"]}]),
            422,
            json!(["body", "tasks", 1, "after"]),
        ),
        (
            json!([{"content": "a"}, {"content": "b", "unique_key": "k"}]),
            409,
            Value::Null,
        ),
        (json!("none"), 422, json!(["body", "tasks"])),
    ] {
        let answer = service
            .post_json("/api/v1/tasks/batch", &json!({"tasks": tasks}))
            .await;
        let found = answer.expect(status);
        if status == 422 {
            assert_eq!(found["detail"][0]["loc"], loc, "{found}");
        }
    }
    let count = "SELECT count(*) FROM tasks";
    assert_eq!(service.database().await.number(count).await, 4);
    assert_eq!(
        service
            .post_json("/api/v1/tasks/batch", &json!({"tasks": []}))
            .await
            .expect(201),
        json!({"task_ids": []})
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_batch_may_come_as_lines() {
    let service = Service::start().await;
    let lines = "{\"content\": \"a\"}\n\n{\"content\": \"b\"}\r\n";
    let send = |body: &'static str| {
        let request = service.request(Method::POST, "/api/v1/tasks/batch");
        Answer::of(
            request
                .header("Content-Type", "application/x-ndjson")
                .body(body),
        )
    };
    let ids = send(lines).await.expect(201)["task_ids"].clone();
    assert_eq!(ids.as_array().unwrap().len(), 2);
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_line_that_is_no_task_is_named_with_its_place_in_the_body() {
    let service = Service::start().await;
    let send = |body: &'static str| {
        let request = service.request(Method::POST, "/api/v1/tasks/batch");
        // The case of a content type says nothing.
        Answer::of(
            request
                .header("Content-Type", "Application/X-NDJSON; charset=utf-8")
                .body(body),
        )
    };
    for (body, index, at, place) in [
        ("{\"content\": \"a\"}\n{", 1, 17, "line 2 column 1"),
        (
            "\r\n\n{\"content\": \"a\"}\n\n  {]}\n",
            1,
            24,
            "line 5 column 4",
        ),
        ("{'", 0, 1, "line 1 column 2"),
    ] {
        let problem = send(body).await.problem();
        assert_eq!(problem["type"], "json_invalid");
        assert_eq!(
            problem["loc"],
            json!(["body", "tasks", index, at]),
            "{problem}"
        );
        let msg = problem["msg"].as_str().unwrap();
        assert!(msg.ends_with(&format!(" at {place}")), "{msg}");
    }
    let problem = send("{\"content\": \"a\"}\n[1]").await.problem();
    assert_eq!(problem["type"], "model_attributes_type");
    assert_eq!(problem["loc"], json!(["body", "tasks", 1]));
    let count = "SELECT count(*) FROM tasks";
    assert_eq!(service.database().await.number(count).await, 0);
    service.ends_well().await;
}

#[tokio::test]
async fn a_key_that_is_twice_in_a_batch_is_said() {
    let service = Service::start().await;
    let task = json!({"content": "a", "unique_key": "q"});
    let answer = service
        .post_json("/api/v1/tasks/batch", &json!({"tasks": [task, task]}))
        .await;
    assert_eq!(answer.problem()["input"], "q");
    service.ends_well().await;
}

#[tokio::test]
async fn a_batch_takes_no_parameters() {
    let service = Service::start().await;
    let tasks = json!({"tasks": [{"content": "a"}]});
    let problem = service
        .post_json("/api/v1/tasks/batch?wait=1", &tasks)
        .await
        .problem();
    assert_eq!(problem["loc"], json!(["query", "wait"]));
    service.ends_well().await;
}

#[tokio::test]
async fn an_empty_batch_has_its_idempotency_key_too() {
    let service = Service::start().await;
    let send = |body: Value| {
        let request = service.request(Method::POST, "/api/v1/tasks/batch");
        Answer::of(request.header("Idempotency-Key", "none").json(&body))
    };
    let none = json!({"tasks": []});
    for _ in 0..2 {
        assert_eq!(send(none.clone()).await.expect(201)["task_ids"], json!([]));
    }
    let problem = send(json!({"tasks": [{"content": "a"}]})).await.problem();
    assert_eq!(problem["loc"], json!(["header", "Idempotency-Key"]));
    let problem = with_key(&service, "none", &json!({"content": "a"})).await;
    assert_eq!(
        problem.problem()["loc"],
        json!(["header", "Idempotency-Key"])
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_repeat_is_answered_also_when_the_task_was_deleted() {
    let service = Service::start().await;
    let body = json!({"content": "hello"});
    let first = with_key(&service, "gone", &body).await.expect(201);
    let id = first["task_id"].as_str().unwrap();
    service.finished(id).await;
    let path = format!("/api/v1/tasks/{id}");
    let deleted = Answer::of(service.request(Method::DELETE, &path)).await;
    assert_eq!(deleted.status, 204);
    for path in ["/api/v1/tasks", "/api/v1/tasks?wait=30"] {
        let request = service.request(Method::POST, path);
        let again = Answer::of(request.header("Idempotency-Key", "gone").json(&body)).await;
        assert_eq!(again.expect(201), first, "{path}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn ten_thousand_tasks_are_one_transaction_and_more_are_refused() {
    let service = Service::start().await;
    service.pause().await;
    let tasks = |count: usize| json!({"tasks": vec![json!({"content": "x"}); count]});
    let ids = service
        .post_json("/api/v1/tasks/batch", &tasks(10_000))
        .await
        .expect(201);
    assert_eq!(ids["task_ids"].as_array().unwrap().len(), 10_000);
    let problem = service
        .post_json("/api/v1/tasks/batch", &tasks(10_001))
        .await
        .problem();
    assert_eq!(
        (&problem["type"], &problem["input"]),
        (&json!("too_long"), &Value::Null)
    );
    assert_eq!(service.queue_status().await["pending"], 10_000);
    service.purge().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_batch_with_an_idempotency_key_is_made_once() {
    let service = Service::start().await;
    let body = json!({"tasks": [{"content": "a"}, {"content": "b"}]});
    let send = || {
        let request = service.request(Method::POST, "/api/v1/tasks/batch");
        Answer::of(request.header("Idempotency-Key", "batch 1").json(&body))
    };
    let first = send().await.expect(201);
    assert_eq!(first["task_ids"].as_array().unwrap().len(), 2);
    assert_eq!(send().await.expect(201), first);
    service.drained().await;
    service.ends_well().await;
}
