//! What is refused, in which shape, and that nothing of it is stored.

use reqwest::Method;
use reqwest::header::{ALLOW, CONTENT_TYPE};
use serde_json::{Value, json};

use support::{Answer, Service, Setup};

const NO_TASK: &str = "/api/v1/tasks/00000000-0000-0000-0000-000000000000";

/// The number of tasks in the database.
async fn stored(service: &Service) -> i64 {
    let mut database = service.database().await;
    database.number("SELECT count(*) FROM tasks").await
}

#[tokio::test]
async fn what_is_not_there_is_404_with_a_sentence() {
    let service = Service::start().await;
    for path in [NO_TASK, &format!("{NO_TASK}/stream")] {
        assert_eq!(service.get(path).await.sentence(404), "Task not found");
    }
    for path in [
        "/nothing",
        "/web/nothing",
        "/web/../Cargo.toml",
        "/api/v1",
        "/api/v1/queue",
        "/api/v2/tasks",
    ] {
        let sentence = service.get(path).await.sentence(404);
        assert_eq!(sentence, "Not Found", "{path}");
    }
    for path in ["/api/v1/tasks/", "/healthz/", "//"] {
        let sentence = service.get(path).await.sentence(404);
        assert!(sentence.contains("slash"), "{path}: {sentence}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_would_do() {
    let service = Service::start().await;
    let wrong = [
        (Method::DELETE, "/api/v1/queue/status", "GET,HEAD"),
        (Method::POST, "/healthz", "GET,HEAD"),
        (Method::GET, "/api/v1/queue/pause", "POST"),
        (Method::PUT, "/api/v1/tasks", "GET,HEAD,POST,DELETE"),
        (Method::PATCH, NO_TASK, "GET,HEAD,DELETE"),
    ];
    for (method, path, allowed) in wrong {
        let answer = Answer::of(service.request(method, path)).await;
        assert_eq!(answer.sentence(405), "Method Not Allowed", "{path}");
        assert_eq!(answer.headers[ALLOW], allowed, "{path}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn an_id_that_is_no_uuid_is_422() {
    let service = Service::start().await;
    for (method, path) in [
        (Method::GET, "/api/v1/tasks/42"),
        (Method::GET, "/api/v1/tasks/42/stream"),
        (Method::POST, "/api/v1/queue/task/42/abort"),
    ] {
        let problem = Answer::of(service.request(method, path)).await.problem();
        assert_eq!(problem["type"], "uuid_parsing", "{path}");
        assert_eq!(problem["loc"], json!(["path", "task_id"]), "{path}");
        assert_eq!(problem["input"], "42", "{path}");
    }
    // Percent-encoded bytes that are no UTF-8 cannot name a task.
    let answer = service.get("/api/v1/tasks/%ff%fe").await;
    assert!([404, 422].contains(&answer.status), "{answer:?}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_is_no_json_is_422_and_says_where() {
    let service = Service::start().await;
    let cases: [&[u8]; 8] = [
        b"{",
        b"{\"content\": }",
        b"{'content': 'hello'}",
        b"{\"content\": \"a\nb\"}",
        b"{\"content\": \"\xff\xfe\"}",
        b"{\"content\": \"hello\"} {}",
        b"{\"content\": NaN}",
        b"hello",
    ];
    for body in cases {
        let problem = service
            .post_text("/api/v1/tasks", body.to_vec())
            .await
            .problem();
        assert_eq!(problem["type"], "json_invalid");
        assert_eq!(problem["loc"][0], "body");
        let at = problem["loc"][1].as_u64().expect("an offset");
        assert!(at <= body.len() as u64, "{problem}");
        assert!(
            problem["msg"]
                .as_str()
                .unwrap()
                .starts_with("JSON decode error")
        );
    }
    let deep = format!(
        "{{\"content\": {}1{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let problem = service.post_text("/api/v1/tasks", deep).await.problem();
    assert_eq!(problem["type"], "recursion_limit");
    assert_eq!(problem["loc"], json!(["body", "content"]));
    let problem = service
        .post_text("/api/v1/tasks", "{\"content\": }")
        .await
        .problem();
    assert_eq!(problem["loc"], json!(["body", 12]));
    assert_eq!(stored(&service).await, 0);
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_is_missing_or_no_object_is_422() {
    let service = Service::start().await;
    let problem = service.post("/api/v1/tasks").await.problem();
    assert_eq!(problem["type"], "missing");
    assert_eq!(problem["loc"], json!(["body"]));
    for body in [
        json!(null),
        json!([]),
        json!("hello"),
        json!(1),
        json!(true),
    ] {
        let problem = service.post_json("/api/v1/tasks", &body).await.problem();
        assert_eq!(problem["type"], "model_attributes_type");
        assert_eq!(problem["loc"], json!(["body"]));
        assert_eq!(problem["input"], body);
    }
    for path in [
        "/api/v1/tasks/batch",
        "/api/v1/queue/pause",
        "/api/v1/queue/resume",
        "/api/v1/worker/claim",
    ] {
        let problem = service.post_json(path, &json!([1])).await.problem();
        assert_eq!(problem["type"], "model_attributes_type", "{path}");
        assert_eq!(problem["loc"], json!(["body"]), "{path}");
        assert_eq!(problem["input"], json!([1]), "{path}");
    }
    assert_eq!(stored(&service).await, 0);
    service.ends_well().await;
}

/// What is sent back serves to recognise the mistake; a client that sends much of it does not get all of
/// it again.
#[tokio::test]
async fn a_large_mistake_gets_a_short_answer() {
    let service = Service::start().await;
    let text = "é".repeat(300_000);
    let number: Value = serde_json::from_str(&"9".repeat(300_000)).unwrap();
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!([deep]);
    }
    let many: Value = (0..9_000).map(|n| (format!("key {n}"), json!(n))).collect();
    for wrong in [
        json!([text, text]),
        json!({"a": text}),
        json!({text.as_str(): 1}),
        number,
        deep,
        many.clone(),
        json!(vec![json!({}); 9_000]),
    ] {
        let body = json!({ "content": wrong });
        let answer = service.post_json("/api/v1/tasks", &body).await;
        assert_eq!(answer.problem()["loc"], json!(["body", "content"]));
        assert!(answer.body.len() < 5_000, "{}", answer.text());
    }
    for body in [json!({"a": text}), many, json!({text.as_str(): 1})] {
        for path in [
            "/api/v1/queue/pause",
            "/api/v1/tasks",
            "/api/v1/tasks/batch",
        ] {
            let answer = service.post_json(path, &body).await;
            let is_too_large = path.contains("pause") && body.to_string().len() > 65_536;
            answer.expect(if is_too_large { 413 } else { 422 });
            assert!(answer.body.len() < 50_000, "{path}: {}", answer.text());
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_wrong_field_is_422_and_named() {
    let service = Service::start().await;
    let wrong: [(&str, Value, &str); 15] = [
        ("content", json!(null), "string_type"),
        ("content", json!(1), "string_type"),
        ("content", json!(["hello"]), "string_type"),
        ("processor", json!("nobody"), "enum"),
        ("processor", json!(""), "enum"),
        ("processor", json!(3), "string_type"),
        ("priority", json!(101), "int_range"),
        ("priority", json!(-101), "int_range"),
        ("priority", json!(1.5), "int_range"),
        ("priority", json!("1"), "int_range"),
        ("priority", json!(true), "int_range"),
        ("tags", json!("nightly"), "list_type"),
        ("tags", json!(["nightly", 1]), "list_type"),
        ("tags", json!({}), "list_type"),
        ("session_id", json!(17), "string_type"),
    ];
    for (name, value, kind) in wrong {
        let mut body = json!({"content": "hello"});
        body[name] = value.clone();
        let problem = service.post_json("/api/v1/tasks", &body).await.problem();
        assert_eq!(problem["type"], kind, "{body}");
        assert_eq!(problem["loc"], json!(["body", name]), "{body}");
        assert_eq!(problem["input"], value, "{body}");
    }
    let problem = service
        .post_json("/api/v1/tasks", &json!({"text": "hello"}))
        .await
        .problem();
    assert_eq!(problem["type"], "missing");
    assert_eq!(problem["loc"], json!(["body", "content"]));
    assert_eq!(problem["msg"], "Field required");
    assert_eq!(problem["input"], json!({"text": "hello"}));
    assert_eq!(stored(&service).await, 0);
    service.ends_well().await;
}

#[tokio::test]
async fn every_wrong_field_is_named_at_once() {
    let service = Service::start().await;
    let body = json!({"content": 1, "priority": "x", "tags": 2, "processor": "nobody"});
    let answer = service.post_json("/api/v1/tasks", &body).await.expect(422);
    let problems = answer["detail"].as_array().unwrap();
    let mut named: Vec<_> = problems
        .iter()
        .map(|p| p["loc"][1].as_str().unwrap())
        .collect();
    named.sort_unstable();
    assert_eq!(named, ["content", "priority", "processor", "tags"]);
    service.ends_well().await;
}

#[tokio::test]
async fn an_unknown_processor_is_told_which_there_are() {
    let service = Service::with_gates().await;
    let body = json!({"content": "hello", "processor": "Echo"});
    let problem = service.post_json("/api/v1/tasks", &body).await.problem();
    assert!(problem["msg"].as_str().unwrap().contains("echo, gate"));
    service.ends_well().await;
}

#[tokio::test]
async fn only_json_is_read_as_json() {
    let service = Service::start().await;
    let send = async |kind: Option<&str>| {
        let mut request = service.request(Method::POST, "/api/v1/tasks");
        if let Some(kind) = kind {
            request = request.header(CONTENT_TYPE, kind);
        }
        Answer::of(request.body("{\"content\": \"hello\"}")).await
    };
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "json",
        "",
    ] {
        let sentence = send(Some(kind)).await.sentence(415);
        assert!(sentence.contains("application/json"), "{sentence}");
    }
    assert_eq!(stored(&service).await, 0);
    let fine = [
        None,
        Some("application/json; charset=utf-8"),
        Some("Application/JSON"),
        Some("application/ld+json"),
    ];
    for kind in fine {
        send(kind).await.expect(201);
    }
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413_and_one_at_the_limit_is_not() {
    let service = Setup::new().setting("body_limit_bytes", 2000).start().await;
    let body = |bytes: usize| {
        let around = json!({"content": ""}).to_string().len();
        json!({"content": "x".repeat(bytes - around)}).to_string()
    };
    let sentence = service
        .post_text("/api/v1/tasks", body(2001))
        .await
        .sentence(413);
    assert!(sentence.contains("2000 bytes"), "{sentence}");
    let chunks = futures_util::stream::iter(vec![Ok::<_, std::io::Error>(body(2001))]);
    let chunked = reqwest::Body::wrap_stream(chunks);
    service
        .post_text("/api/v1/tasks", chunked)
        .await
        .sentence(413);
    assert_eq!(stored(&service).await, 0);
    service
        .post_text("/api/v1/tasks", body(2000))
        .await
        .expect(201);
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn unknown_parameters_are_422() {
    let service = Service::start().await;
    for path in ["/api/v1/tasks?colour=red", "/ws/events?colour=red"] {
        let problem = service.get(path).await.problem();
        assert_eq!(problem["loc"], json!(["query", "colour"]), "{path}");
        assert_eq!(problem["input"], "red", "{path}");
    }
    let id = "00000000-0000-0000-0000-000000000000";
    let worker = ["heartbeat", "log", "progress", "complete", "fail"];
    let worker = worker.map(|verb| format!("/api/v1/worker/{id}/{verb}?colour=red"));
    for path in [
        "/api/v1/reload?colour=red",
        "/api/v1/worker/claim?colour=red",
    ]
    .into_iter()
    .chain(worker.iter().map(String::as_str))
    {
        let problem = service.post_json(path, &json!({})).await.problem();
        assert_eq!(problem["loc"], json!(["query", "colour"]), "{path}");
    }
    let problem = service.get("/api/v1/export?colour=red").await.problem();
    assert_eq!(problem["loc"], json!(["query", "colour"]));
    service.ends_well().await;
}
