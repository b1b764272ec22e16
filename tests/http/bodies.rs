//! What a body may hold, and that one client's large or wrong body costs the others nothing.

use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde_json::{Value, json};

use support::{Answer, Service, Setup};

/// Fields `"k0": 0, "k1": 0, …`
fn fields(count: usize) -> String {
    let fields: Vec<_> = (0..count).map(|n| format!("\"k{n}\":0")).collect();
    fields.join(",")
}

async fn post_lines(service: &Service, body: String) -> Answer {
    let request = service.request(Method::POST, "/api/v1/tasks/batch");
    Answer::of(
        request
            .header(CONTENT_TYPE, "application/x-ndjson")
            .body(body),
    )
    .await
}

async fn is_empty(service: &Service) {
    assert_eq!(service.get("/api/v1/tasks").await.text(), "[]");
}

#[tokio::test]
async fn calls_that_need_few_words_take_no_more_than_64_kib() {
    let service = Service::with_worker("").await;
    let names = vec!["x"; 2_000_000];
    let claim = json!({ "processors": names }).to_string();
    let id = "00000000-0000-0000-0000-000000000000";
    for path in [
        "/api/v1/worker/claim",
        &format!("/api/v1/worker/{id}/heartbeat"),
        &format!("/api/v1/worker/{id}/progress"),
        "/api/v1/queue/pause",
        "/api/v1/queue/resume",
        "/api/v1/hive/broadcast",
    ] {
        let path = path.replace(id, &service.submit("waits for nothing").await);
        let sentence = service.post_text(&path, claim.clone()).await.sentence(413);
        assert!(sentence.contains("65536 bytes"), "{path}: {sentence}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn of_many_mistakes_a_hundred_are_told() {
    let service = Service::with_worker("").await;
    let claim = json!({ "processors": vec!["x"; 9_000] });
    let answer = service.post_json("/api/v1/worker/claim", &claim).await;
    let problems = answer.expect(422)["detail"].as_array().unwrap().len();
    assert_eq!(problems, 100);
    let pause = format!("{{{}}}", fields(5_000));
    let answer = service.post_text("/api/v1/queue/pause", pause).await;
    let problems = answer.expect(422)["detail"].as_array().unwrap().len();
    assert_eq!(problems, 100);
    service.ends_well().await;
}

#[tokio::test]
async fn a_task_has_at_most_10000_json_values() {
    let service = Service::start().await;
    let refused = |problem: Value, loc: Value| {
        assert_eq!(problem["type"], "too_long", "{problem}");
        assert_eq!(problem["loc"], loc, "{problem}");
        assert_eq!(
            problem["msg"],
            "Input should have at most 10000 JSON values"
        );
    };
    let large = format!("{{\"content\": \"x\", {}}}", fields(600_000));
    let answer = service.post_text("/api/v1/tasks", large.clone()).await;
    refused(answer.problem(), json!(["body"]));
    let nested = format!("{{\"content\": \"x\", \"a\": [{{{}}}]}}", fields(9_998));
    let answer = service.post_text("/api/v1/tasks", nested).await;
    refused(answer.problem(), json!(["body"]));
    // Each task of a batch has values of its own.
    let small = format!("{{\"content\": \"x\", {}}}", fields(9_999));
    let batch = format!("{{\"tasks\": [{small}, {large}]}}");
    let answer = service.post_text("/api/v1/tasks/batch", batch).await;
    refused(answer.problem(), json!(["body", "tasks", 1]));
    let lines = format!("{small}\n{large}\n");
    refused(
        post_lines(&service, lines).await.problem(),
        json!(["body", "tasks", 1]),
    );
    is_empty(&service).await;
    let batch = format!("{{\"tasks\": [{small}, {small}]}}");
    let answer = service.post_text("/api/v1/tasks/batch", batch).await;
    answer.expect(201);
    post_lines(&service, format!("{small}\n{small}\n"))
        .await
        .expect(201);
    service.post_text("/api/v1/tasks", small).await.expect(201);
    service.drained().await;
    service.ends_well().await;
}

/// Numbers that Python, JavaScript or a double cannot hold.
fn strange_numbers() -> [String; 3] {
    [
        "9".repeat(4301),
        "1e400".to_owned(),
        format!("-0.{}", "1".repeat(300)),
    ]
}

#[tokio::test]
async fn a_number_that_some_clients_cannot_read_is_refused_wherever_json_comes_in() {
    let service = Service::with_worker("").await;
    let refused = |answer: Answer, loc: Value| {
        let problem = answer.problem();
        assert_eq!(problem["type"], "number_range", "{problem}");
        assert_eq!(problem["loc"], loc, "{problem}");
    };
    for number in strange_numbers() {
        let task = format!(r#"{{"content": "x", "meta": {{"list": [0, {number}]}}}}"#);
        let path = json!(["body", "meta", "list", 1]);
        refused(service.post_text("/api/v1/tasks", task.clone()).await, path);
        let batch = format!(r#"{{"tasks": [{{"content": "x"}}, {task}]}}"#);
        let path = json!(["body", "tasks", 1, "meta", "list", 1]);
        refused(
            service.post_text("/api/v1/tasks/batch", batch).await,
            path.clone(),
        );
        refused(
            post_lines(&service, format!("{{\"content\": \"x\"}}\n{task}")).await,
            path,
        );
        let pause = format!(r#"{{"reason": {number}}}"#);
        refused(
            service.post_text("/api/v1/queue/pause", pause).await,
            json!(["body", "reason"]),
        );
        let claim = format!(r#"{{"processors": ["outside"], "limit": {number}}}"#);
        refused(
            service.post_text("/api/v1/worker/claim", claim).await,
            json!(["body", "limit"]),
        );
    }
    is_empty(&service).await;

    let id = service.submit_to("outside", "work").await;
    let task = service.claim_one().await;
    for number in strange_numbers() {
        let body = format!(r#"{{"attempt": 1, "result": {{"n": [{number}]}}}}"#);
        let answer = service
            .post_text(&format!("/api/v1/worker/{id}/complete"), body)
            .await;
        refused(answer, json!(["body", "result", "n", 0]));
        let dump = format!(
            r#"{{"tasks": [{{"id": "{id}", "content": "x", "context_history": {{"a": [{number}]}}}}]}}"#
        );
        let problem = service.post_text("/api/v1/import", dump).await.problem();
        let msg = problem["msg"].as_str().unwrap();
        assert!(
            msg.starts_with("tasks[0].context_history.a[0]: expected a number"),
            "{msg}"
        );
        let dump = format!(r#"{{"tasks": [], "costs": {{"spent": {number}}}}}"#);
        let problem = service.post_text("/api/v1/import", dump).await.problem();
        let msg = problem["msg"].as_str().unwrap();
        assert!(msg.starts_with("costs.spent: expected a number"), "{msg}");
    }
    service.complete(&task, "done").await;
    // What is just within the limits is kept to the digit.
    let number = "9".repeat(300);
    let body = format!(r#"{{"content": "x", "n": [{number}, 1.50, 1e308, -9223372036854775808]}}"#);
    service.post_text("/api/v1/tasks", body).await.expect(201);
    service.drained().await;
    let listed = service.get("/api/v1/tasks").await;
    let kept = format!(r#""request":{{"n":[{number},1.50,1e+308,-9223372036854775808]}}"#);
    assert!(listed.text().contains(&kept), "{}", listed.text());
    service.ends_well().await;
}

#[tokio::test]
async fn half_a_character_in_a_submission_is_refused_and_named() {
    let service = Service::start().await;
    let refused = |answer: Answer, loc: Value| {
        let problem = answer.problem();
        assert_eq!(problem["type"], "string_unicode", "{problem}");
        assert_eq!(problem["loc"], loc, "{problem}");
    };
    let task = r#"{"content": "hi \ud83d"}"#;
    refused(
        service.post_text("/api/v1/tasks", task).await,
        json!(["body", "content"]),
    );
    let tags = r#"{"content": "x", "tags": ["a", "\ude00"]}"#;
    refused(
        service.post_text("/api/v1/tasks", tags).await,
        json!(["body", "tags", 1]),
    );
    let name = r#"{"content": "x", "a": {"\ud83d": 1}}"#;
    refused(
        service.post_text("/api/v1/tasks", name).await,
        json!(["body", "a"]),
    );
    let batch = format!(r#"{{"tasks": [{task}]}}"#);
    let loc = json!(["body", "tasks", 0, "content"]);
    refused(
        service.post_text("/api/v1/tasks/batch", batch).await,
        loc.clone(),
    );
    refused(post_lines(&service, task.to_owned()).await, loc);
    let pause = r#"{"reason": "\udbff"}"#;
    refused(
        service.post_text("/api/v1/queue/pause", pause).await,
        json!(["body", "reason"]),
    );
    is_empty(&service).await;
    let whole = r#"{"content": "\ud83d\ude00 \\ud83d"}"#;
    let created = service.post_text("/api/v1/tasks", whole).await.expect(201);
    let task = service.finished(created["task_id"].as_str().unwrap()).await;
    assert_eq!(task["content"], "😀 \\ud83d");
    service.ends_well().await;
}

#[tokio::test]
async fn half_a_character_from_a_worker_is_replaced_and_the_log_says_so() {
    let service = Service::with_worker("").await;
    let said = async |id: &str| {
        let task = service.finished(id).await;
        let logs = task["logs"].as_array().unwrap().clone();
        let notes = logs
            .iter()
            .filter(|line| line.as_str().unwrap().contains("U+FFFD"));
        (task.clone(), notes.count())
    };
    let id = service.submit_to("outside", "one").await;
    service.claim_one().await;
    let tell = async |id: &str, verb: &str, body: &str| {
        let path = format!("/api/v1/worker/{id}/{verb}");
        service.post_text(&path, body.to_owned()).await.expect(200)
    };
    tell(&id, "log", r#"{"attempt": 1, "line": "half \ud83d"}"#).await;
    tell(
        &id,
        "complete",
        r#"{"attempt": 1, "result": "an emoji: \ud83d"}"#,
    )
    .await;
    // A repeat of what was stored is answered like the first.
    tell(
        &id,
        "complete",
        r#"{"attempt": 1, "result": "an emoji: \ud83d"}"#,
    )
    .await;
    let (task, notes) = said(&id).await;
    assert_eq!(task["result"], "an emoji: \u{fffd}");
    assert!(
        task["logs"]
            .as_array()
            .unwrap()
            .contains(&json!("half \u{fffd}")),
        "{task}"
    );
    assert_eq!(notes, 2, "{task}");

    let id = service.submit_to("outside", "two").await;
    service.claim_one().await;
    tell(
        &id,
        "fail",
        r#"{"attempt": 1, "error": "\ude00", "retry": false}"#,
    )
    .await;
    let (task, notes) = said(&id).await;
    assert_eq!((&task["error"], notes), (&json!("\u{fffd}"), 1), "{task}");

    // Bytes that are no UTF-8, in a result that is no text.
    let id = service.submit_to("outside", "three").await;
    service.claim_one().await;
    let body = b"{\"attempt\": 1, \"result\": [ \"\xed\xa0\xbd\", 1.50 ]}".to_vec();
    let path = format!("/api/v1/worker/{id}/complete");
    service.post_text(&path, body).await.expect(200);
    let (task, notes) = said(&id).await;
    assert_eq!(task["result"], "[\"\u{fffd}\u{fffd}\u{fffd}\",1.50]");
    assert_eq!(notes, 1, "{task}");
    service.ends_well().await;
}

#[tokio::test]
async fn a_result_may_have_any_number_of_values() {
    let service = Service::with_worker("").await;
    let id = service.submit_to("outside", "many").await;
    let task = service.claim_one().await;
    let result: Vec<usize> = (0..100_000).collect();
    let told = service
        .tell(&task, "complete", json!({ "result": result }))
        .await;
    told.expect(200);
    let task = service.task(&id).await;
    assert_eq!(task["result"], json!(result).to_string());
    service.ends_well().await;
}

#[tokio::test]
async fn a_byte_order_mark_before_a_body_is_passed_over() {
    let service = Service::with_worker("").await;
    for (path, body) in [
        ("/api/v1/tasks", r#"{"content": "one"}"#),
        ("/api/v1/tasks/batch", r#"{"tasks": [{"content": "two"}]}"#),
    ] {
        let answer = service.post_text(path, format!("\u{feff}{body}")).await;
        answer.expect(201);
    }
    let lines = "\u{feff}{\"content\": \"three\"}\r\n".to_owned();
    post_lines(&service, lines).await.expect(201);
    let pause = service
        .post_text("/api/v1/queue/pause", "\u{feff}{\"reason\": \"b\"}")
        .await;
    assert_eq!(pause.expect(200)["reason"], "b");
    // Nothing but a mark is no body.
    service
        .post_text("/api/v1/queue/resume", "\u{feff}")
        .await
        .expect(200);
    let problem = service
        .post_text("/api/v1/tasks", "\u{feff}")
        .await
        .problem();
    assert_eq!(problem["type"], "missing");
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn texts_that_stand_in_everybodys_lists_are_short() {
    let service = Service::start().await;
    let refused = async |body: Value, kind: &str, loc: Value| {
        let problem = service.post_json("/api/v1/tasks", &body).await.problem();
        assert_eq!(problem["type"], kind, "{problem}");
        assert_eq!(problem["loc"], loc, "{problem}");
    };
    let text = |chars: usize| "é".repeat(chars);
    let task = |name: &str, value: Value| json!({ "content": "x", name: value });
    let loc = |name: &str| json!(["body", name]);
    refused(
        task("session_id", json!(text(201))),
        "string_too_long",
        loc("session_id"),
    )
    .await;
    refused(
        task("unique_key", json!(text(1001))),
        "string_type",
        loc("unique_key"),
    )
    .await;
    refused(
        task("concurrency_key", json!(text(1001))),
        "string_type",
        loc("concurrency_key"),
    )
    .await;
    refused(task("tags", json!(vec!["x"; 101])), "too_long", loc("tags")).await;
    let tags = json!(["a", text(201)]);
    refused(
        task("tags", tags),
        "string_too_long",
        json!(["body", "tags", 1]),
    )
    .await;
    let pause = json!({ "reason": text(1001) });
    let problem = service
        .post_json("/api/v1/queue/pause", &pause)
        .await
        .problem();
    assert_eq!(problem["type"], "string_too_long");
    assert_eq!(problem["loc"], json!(["body", "reason"]));
    assert_eq!(service.queue_status().await["paused"], false);
    is_empty(&service).await;

    let whole = json!({
        "content": "x", "session_id": text(200), "unique_key": text(1000),
        "concurrency_key": text(1000), "tags": vec![text(200); 100],
    });
    let id = service.submit_json(&whole).await;
    let task = service.finished(&id).await;
    for field in ["session_id", "unique_key", "concurrency_key", "tags"] {
        assert_eq!(task[field], whole[field], "{field}");
    }
    let pause = json!({ "reason": text(1000) });
    let paused = service.post_json("/api/v1/queue/pause", &pause).await;
    assert_eq!(paused.expect(200)["reason"], pause["reason"]);

    // A dump obeys the same.
    for (field, value) in [
        ("session_id", json!(text(201))),
        ("unique_key", json!(text(1001))),
        ("concurrency_key", json!(text(1001))),
        ("tags", json!(vec!["x"; 101])),
    ] {
        let task =
            json!({ "id": "0f0e0d0c-0b0a-4908-8706-050403020100", "content": "x", field: value });
        let dump = json!({ "tasks": [task] });
        let problem = service.post_json("/api/v1/import", &dump).await.problem();
        let msg = problem["msg"].as_str().unwrap();
        assert!(
            msg.starts_with(&format!("tasks[0].{field}: expected ")),
            "{msg}"
        );
    }
    service.ends_well().await;
}

/// What is stored is passed on as it is, however deep it may be and whatever way it comes back.
#[tokio::test]
async fn the_deepest_field_that_is_taken_goes_out_and_comes_in_again() {
    let (one, two) = (Service::start().await, Service::start().await);
    let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
    let body = format!(r#"{{"content": "x", "d": {}}}"#, deep(100));
    let created = one.post_text("/api/v1/tasks", body).await.expect(201);
    one.finished(created["task_id"].as_str().unwrap()).await;
    let dump = one.get("/api/v1/export").await;
    let imported = two.post_text("/api/v1/import", dump.body.clone()).await;
    assert_eq!(imported.expect(200)["imported"], 1);
    assert_eq!(two.get("/api/v1/export").await.text(), dump.text());
    let body = format!(r#"{{"content": "x", "d": {}}}"#, deep(101));
    for (path, body, loc) in [
        ("/api/v1/tasks", body.clone(), json!(["body", "d"])),
        (
            "/api/v1/tasks/batch",
            format!(r#"{{"tasks": [{body}]}}"#),
            json!(["body", "tasks", 0, "d"]),
        ),
    ] {
        let problem = one.post_text(path, body).await.problem();
        assert_eq!(problem["type"], "recursion_limit");
        assert_eq!(problem["loc"], loc);
    }
    let dump = dump
        .text()
        .replacen("\"d\":[", "\"d\":[[", 1)
        .replacen("]]", "]]]", 1);
    let problem = two
        .post_text("/api/v1/import?replace=true", dump)
        .await
        .problem();
    let msg = problem["msg"].as_str().unwrap();
    assert!(msg.contains("tasks[0].context_history"), "{msg}");
    one.ends_well().await;
    two.ends_well().await;
}

#[tokio::test]
async fn large_bodies_are_read_as_small_ones_are() {
    let service = Setup::new().worker_processor("").start().await;
    let large = "ä\"\\\n".repeat(40_000);
    let id = service.submit(&large).await;
    assert_eq!(service.finished(&id).await["content"], large);
    let batch = json!({ "tasks": [{ "content": large }, { "content": large, "more": [1, null] }] });
    let created = service.post_json("/api/v1/tasks/batch", &batch).await;
    let ids = created.expect(201)["task_ids"].clone();
    let task = service.finished(ids[1].as_str().unwrap()).await;
    assert_eq!(task["content"], large);
    assert_eq!(
        task["context_history"],
        json!({ "request": { "more": [1, null] } })
    );
    let id = service.submit_to("outside", "work").await;
    let task = service.claim_one().await;
    service.complete(&task, &large).await;
    assert_eq!(service.task(&id).await["result"], large);
    let mut broken = json!({ "content": large }).to_string();
    broken.pop();
    let problem = service.post_text("/api/v1/tasks", broken).await.problem();
    assert_eq!(problem["type"], "json_invalid");
    service.ends_well().await;
}
