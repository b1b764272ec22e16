//! The webhook processor from outside: what it posts, and what each answer means.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use support::{Backend, Call, Listener, Service, Setup};

/// A webhook of this name at the backend, with more lines of its table.
fn webhook(name: &str, url: &str, settings: &str) -> String {
    format!("[processors.{name}]\nkind = \"webhook\"\nurl = \"{url}\"\n{settings}\n")
}

/// A service whose processor `hook` posts to the backend.
async fn service(backend: &Backend, settings: &str) -> Service {
    let table = webhook("hook", &backend.url(), settings);
    Setup::new().table(&table).start().await
}

/// Attempts that follow each other at once.
fn attempts(count: u32) -> String {
    format!("max_attempts = {count}\nbackoff = {{ first = 0, jitter = 0 }}\n")
}

fn signature(call: &Call, key: &[u8]) -> String {
    let id = call.header("webhook-id").expect("an id");
    let timestamp = call.header("webhook-timestamp").expect("a timestamp");
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(format!("{id}.{timestamp}.{}", call.body).as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

fn assert_failed(task: &Value, error: &str) {
    assert_eq!(task["status"], "FAILED", "{task}");
    assert_eq!(task["failure"], "error", "{task}");
    let found = task["error"].as_str().expect("an error");
    assert!(found.contains(error), "{found}");
}

#[tokio::test]
async fn it_posts_the_task_with_its_upstream_and_the_answer_is_the_result() {
    let backend = Backend::start().await;
    let settings = "[processors.hook.headers]\nX-Source = \"here\"\n";
    let service = service(&backend, settings).await;
    let first = service.submit("first").await;
    service.finished(&first).await;
    let id = service
        .submit_json(&json!({ "content": "hällo", "processor": "hook", "after": [first] }))
        .await;
    let call = backend.next().await;
    assert!(
        call.head.starts_with("POST / HTTP/1.1\r\n"),
        "{}",
        call.head
    );
    assert_eq!(call.header("content-type"), Some("application/json"));
    assert_eq!(call.header("webhook-id"), Some(id.as_str()));
    assert_eq!(call.header("venom-attempt"), Some("1"));
    assert_eq!(call.header("x-source"), Some("here"));
    assert_eq!(call.header("webhook-signature"), None);
    let message = call.json();
    assert_eq!(message["type"], "task.run");
    let data = &message["data"];
    assert_eq!(data["attempt"], 1);
    assert_eq!(
        data["upstream"],
        json!([{ "id": first, "status": "COMPLETED", "result": "Processed: first" }])
    );
    assert_eq!(data["task"]["id"], id);
    assert_eq!(data["task"]["content"], "hällo");
    assert_eq!(data["task"]["status"], "PROCESSING");
    assert_eq!(data["task"]["logs"], Value::Null);
    call.answer("201 Created", "", "dönè\n").await;
    let task = service.finished(&id).await;
    assert_eq!(task["status"], "COMPLETED", "{task}");
    assert_eq!(task["result"], "dönè\n");
    service.ends_well().await;
}

#[tokio::test]
async fn it_signs_with_a_secret_from_wherever_that_stands() {
    let backend = Backend::start().await;
    let url = backend.url();
    let setup = Setup::new()
        .variable("HOOK_SECRET", "whsec_c2lnbiBoZXJl")
        .table(&webhook("encoded", &url, "secret_env = \"HOOK_SECRET\""))
        .table(&webhook("plain", &url, "secret_env = \"OTHER_SECRET\""))
        .table(&webhook("filed", &url, "secret_file = \"secret.txt\""))
        .table(&webhook("missing", &url, "secret_env = \"NO_SECRET\""));
    let write = |name, text| std::fs::write(setup.folder().join(name), text).expect("a file");
    write(".env", "OTHER_SECRET=cGxhaW4ga2V5\n");
    write("secret.txt", " ZnJvbSBhIGZpbGU \n");
    let service = setup.start().await;
    let keys = [
        ("encoded", "sign here"),
        ("plain", "plain key"),
        ("filed", "from a file"),
    ];
    for (processor, key) in keys {
        let id = service.submit_to(processor, "sign this").await;
        let call = backend.next().await;
        let expected = signature(&call, key.as_bytes());
        let found = call.header("webhook-signature");
        assert_eq!(found, Some(expected.as_str()), "{processor}");
        call.answer("200 OK", "", "").await;
        assert_eq!(service.finished(&id).await["result"], "");
    }
    let id = service.submit_to("missing", "").await;
    assert_failed(&service.finished(&id).await, "`NO_SECRET` is not set");
    service.ends_well().await;
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout_and_an_abort_drops_the_request() {
    let backend = Backend::start().await;
    let url = backend.url();
    let setup = Setup::new()
        .table(&webhook("hasty", &url, "timeout = 0.2"))
        .table(&webhook("patient", &url, ""));
    let service = setup.start().await;
    let id = service.submit_to("hasty", "").await;
    backend.next().await.dropped().await;
    let task = service.finished(&id).await;
    assert_eq!(task["failure"], "timeout", "{task}");
    let id = service.submit_to("patient", "").await;
    let call = backend.next().await;
    service.abort(&id).await.expect(200);
    call.dropped().await;
    assert_eq!(service.task(&id).await["failure"], "aborted");
    service.ends_well().await;
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let backend = Backend::start().await;
    let service = service(&backend, &attempts(5)).await;
    let id = service.submit_to("hook", "").await;
    backend
        .next()
        .await
        .answer("500 Internal Server Error", "", "")
        .await;
    backend
        .next()
        .await
        .answer("429 Too Many Requests", "", "")
        .await;
    drop(backend.next().await);
    let mut call = backend.next().await;
    call.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part")
        .await;
    drop(call);
    let call = backend.next().await;
    assert_eq!(call.header("venom-attempt"), Some("5"));
    assert_eq!(call.header("webhook-id"), Some(id.as_str()));
    call.answer("200 OK", "", "at last").await;
    let task = service.finished(&id).await;
    assert_eq!(task["result"], "at last", "{task}");
    assert_eq!(task["attempt"], 5);
    let logs = task["logs"].to_string();
    for reason in ["500", "429", "ended early"] {
        assert!(logs.contains(reason), "{reason}: {logs}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn what_will_not_pass_fails_at_once_and_tells_no_secret() {
    let backend = Backend::start().await;
    let headers = "[processors.hook.headers]\nAuthorization = \"Bearer very-secret\"\n";
    let service = service(&backend, &(attempts(3) + headers)).await;
    let cases = [
        (
            "404 Not Found",
            "",
            "404 Not Found: nothing here for [hidden]",
        ),
        (
            "302 Found",
            "Location: /elsewhere\r\n",
            "302 Found (redirects are not followed): nothing here",
        ),
    ];
    for (status, headers, error) in cases {
        let id = service.submit_to("hook", "").await;
        let body = "\nnothing here for Bearer very-secret\nmore\n";
        backend.next().await.answer(status, headers, body).await;
        let task = service.finished(&id).await;
        assert_failed(&task, error);
        assert_eq!(task["attempt"], 1);
        assert!(!task.to_string().contains("very-secret"), "{task}");
    }
    assert!(!service.setup().log().contains("very-secret"));
    service.ends_well().await;
}

async fn next_start(listener: &mut Listener) -> Value {
    loop {
        let event = listener.next_event().await;
        if event["type"] == "TASK_STARTED" {
            return event;
        }
    }
}

#[tokio::test]
async fn retry_after_holds_the_whole_processor_and_costs_no_attempt() {
    let backend = Backend::start().await;
    let service = service(&backend, "concurrency = 1\nmax_attempts = 1\n").await;
    let mut listener = service.listen("").await;
    let held = service.submit_to("hook", "held").await;
    let other = service.submit_to("hook", "other").await;
    let refusals = [
        ("429 Too Many Requests", "1"),
        ("503 Service Unavailable", "0"),
    ];
    for (status, seconds) in refusals {
        let call = backend.next().await;
        let id = call.header("webhook-id").expect("an id").to_owned();
        let retry_after = format!("Retry-After: {seconds}\r\n");
        call.answer(status, &retry_after, "").await;
        let events = listener.until("TASK_RETRYING", &id).await;
        let due = events.last().expect("one event")["data"]["run_at"].clone();
        // Neither it nor the other one starts before.
        let start = next_start(&mut listener).await;
        assert!(
            start["timestamp"].as_str() >= due.as_str(),
            "{start} before {due}"
        );
    }
    for _ in 0..2 {
        backend.next().await.answer("200 OK", "", "done").await;
    }
    let mut started = 0;
    for id in [&held, &other] {
        let task = service.finished(id).await;
        assert_eq!(task["status"], "COMPLETED", "{task}");
        assert_eq!(task["error"], Value::Null);
        started += task["attempt"].as_i64().expect("a number");
    }
    assert_eq!(started, 4);
    service.ends_well().await;
}

#[tokio::test]
async fn a_result_beyond_the_limit_is_cut_at_a_character() {
    let backend = Backend::start().await;
    let service = service(&backend, "response_limit_bytes = 2049").await;
    let id = service.submit_to("hook", "").await;
    backend
        .next()
        .await
        .answer("200 OK", "", &"ä".repeat(500_000))
        .await;
    let task = service.finished(&id).await;
    let expected = "ä".repeat(1024) + "\n[result cut at 2049 bytes]";
    assert_eq!(task["result"], expected);
    service.ends_well().await;
}

#[tokio::test]
async fn a_refused_connection_is_an_error_that_shows_no_address() {
    let url = Backend::start().await.url();
    let table = webhook("hook", &format!("{url}?token=hush-hush"), &attempts(2));
    let service = Setup::new().table(&table).start().await;
    let id = service.submit_to("hook", "").await;
    let task = service.finished(&id).await;
    assert_failed(&task, "cannot connect: ");
    assert_eq!(task["attempt"], 2);
    assert!(!task.to_string().contains("hush-hush"), "{task}");
    assert!(!service.setup().log().contains("hush-hush"));
    service.ends_well().await;
}

#[tokio::test]
async fn what_the_address_and_the_headers_hold_is_told_by_no_error() {
    let backend = Backend::start().await;
    let url = format!("{}hook/T0KEN-VERYSECRET?key=k3y", backend.url());
    let headers = "[processors.hook.headers]\nX-Token = \"abc123\"\nX-Flag = \"1\"\n\
                   Authorization = \"Token xyz7\"\n";
    let table = webhook("hook", &url, headers);
    let service = Setup::new().table(&table).start().await;
    let cases = [
        ("Cannot POST /hook/T0KEN-VERYSECRET", "Cannot POST [hidden]"),
        (
            "no hook at /hook/T0KEN-VERYSECRET?key=k3y",
            "no hook at [hidden]",
        ),
        (
            "bad token T0KEN-VERYSECRET, bad key \"k3y\"",
            "bad token [hidden], bad key \"[hidden]\"",
        ),
        (
            "x-token=abc123: 1 of 21",
            "x-token=[hidden]: [hidden] of 21",
        ),
        ("sent Token xyz7, not xyz7", "sent [hidden], not [hidden]"),
    ];
    for (body, shown) in cases {
        let id = service.submit_to("hook", "").await;
        backend.next().await.answer("404 Not Found", "", body).await;
        let error = service.finished(&id).await["error"].clone();
        assert_eq!(error, format!("the server answered 404 Not Found: {shown}"));
    }
    service.ends_well().await;
}

/// For how many seconds a task waits again, as its event says.
fn wait_of(event: &Value) -> f64 {
    let seconds = |value: &Value| {
        let time = chrono::DateTime::parse_from_rfc3339(value.as_str().expect("a time"));
        time.expect("a time").timestamp_micros() as f64 / 1e6
    };
    seconds(&event["data"]["run_at"]) - seconds(&event["timestamp"])
}

#[tokio::test]
async fn a_server_that_never_has_time_is_asked_less_and_less_often() {
    let backend = Backend::start().await;
    let service = service(&backend, "").await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("hook", "").await;
    for (retry_after, least) in [("0", 0.5), ("0.5", 1.5), ("1.5", 3.5)] {
        let headers = format!("Retry-After: {retry_after}\r\n");
        let call = backend.next().await;
        call.answer("429 Too Many Requests", &headers, "").await;
        let events = listener.until("TASK_RETRYING", &id).await;
        let wait = wait_of(events.last().expect("one event"));
        assert!(
            (least..=least + 0.5).contains(&wait),
            "{retry_after}: {wait}"
        );
    }
    backend.next().await.answer("200 OK", "", "at last").await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["result"], &task["attempt"]),
        (&json!("at last"), &json!(4))
    );
    service.ends_well().await;
}

#[tokio::test]
async fn answers_are_asked_for_without_compression_and_never_stored_compressed() {
    let backend = Backend::start().await;
    let service = service(&backend, &attempts(2)).await;
    let gzip =
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03K9\xbc-\xef\xf0\n.\x00\xf0Qu$\x07\x00\x00\x00";
    let deflate = b"x\x9cK9\xbc-\xef\xf0\n.\x00\x10>\x03\xc1";
    for (encoding, body) in [("gzip", &gzip[..]), ("deflate", &deflate[..])] {
        let id = service.submit_to("hook", "").await;
        let call = backend.next().await;
        assert_eq!(call.header("accept-encoding"), Some("identity"));
        let headers = format!("Content-Encoding: {encoding}\r\n");
        call.answer_bytes("200 OK", &headers, body).await;
        let task = service.finished(&id).await;
        assert_eq!(task["result"], "dönè\n", "{encoding}: {task}");
    }
    for (headers, body, error) in [
        (
            "Content-Encoding: br\r\n",
            &b"\x0b\x02\x80hello\x03"[..],
            "compressed as `br`",
        ),
        (
            "Content-Encoding: zstd\r\n",
            b"(\xb5/\xfd\x04X",
            "compressed as `zstd`",
        ),
        ("", gzip, "compressed as `gzip`"),
    ] {
        let id = service.submit_to("hook", "").await;
        let call = backend.next().await;
        call.answer_bytes("200 OK", headers, body).await;
        let task = service.finished(&id).await;
        assert_failed(&task, error);
        assert_eq!(task["attempt"], 1);
    }
    let id = service.submit_to("hook", "").await;
    let call = backend.next().await;
    let headers = "Content-Encoding: br\r\n";
    call.answer_bytes("404 Not Found", headers, b"\x0b\x02\x80hello\x03")
        .await;
    let task = service.finished(&id).await;
    assert_eq!(task["error"], "the server answered 404 Not Found");
    service.ends_well().await;
}

#[tokio::test]
async fn a_request_on_a_kept_connection_that_dies_is_sent_again_within_its_attempt() {
    let backend = Backend::start().await;
    let service = service(&backend, "max_attempts = 1\n").await;
    let id = service.submit_to("hook", "first").await;
    let kept = backend.next().await.answer_and_keep("200 OK", "one").await;
    assert_eq!(service.finished(&id).await["result"], "one");
    let id = service.submit_to("hook", "second").await;
    drop(kept.next().await);
    let call = backend.next().await;
    assert_eq!(call.header("webhook-id"), Some(id.as_str()));
    assert_eq!(call.header("venom-attempt"), Some("1"));
    call.answer("200 OK", "", "two").await;
    let task = service.finished(&id).await;
    assert_eq!(
        (&task["result"], &task["attempt"]),
        (&json!("two"), &json!(1)),
        "{task}"
    );
    // A connection that was opened for the request says more: perhaps the request ends the server.
    let id = service.submit_to("hook", "third").await;
    drop(backend.next().await);
    assert_failed(&service.finished(&id).await, "the request failed");
    service.ends_well().await;
}

#[tokio::test]
async fn an_answer_that_had_begun_on_a_kept_connection_is_not_asked_for_again() {
    let backend = Backend::start().await;
    let service = service(&backend, "max_attempts = 1\n").await;
    let id = service.submit_to("hook", "first").await;
    let kept = backend.next().await.answer_and_keep("200 OK", "one").await;
    service.finished(&id).await;
    let id = service.submit_to("hook", "second").await;
    let mut call = kept.next().await;
    call.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part")
        .await;
    drop(call);
    assert_failed(&service.finished(&id).await, "ended early");
    service.ends_well().await;
}

#[tokio::test]
async fn retry_after_of_a_failing_server_delays_the_next_attempt_and_nothing_else() {
    let backend = Backend::start().await;
    let service = service(&backend, &attempts(2)).await;
    let mut listener = service.listen("").await;
    for (status, header) in [
        ("500 Internal Server Error", "Retry-After: 60"),
        ("502 Bad Gateway", "Retry-After: 60"),
        ("529 Overloaded", "retry-after-ms: 60000"),
        ("504 Gateway Timeout", "x-ms-retry-after-ms: 60000"),
    ] {
        let id = service.submit_to("hook", "").await;
        let call = backend.next().await;
        call.answer(status, &format!("{header}\r\n"), "").await;
        let events = listener.until("TASK_RETRYING", &id).await;
        let event = events.last().expect("one event");
        let wait = wait_of(event);
        assert!((30.0..=60.5).contains(&wait), "{status}: {wait}");
        assert!(
            event["data"]["error"].as_str().is_some(),
            "it counts: {event}"
        );
        // The processor goes on with other tasks.
        let other = service.submit_to("hook", "").await;
        backend.next().await.answer("200 OK", "", "done").await;
        assert_eq!(service.finished(&other).await["result"], "done");
    }
    service.purge().await;
    service.ends_well().await;
}

#[tokio::test]
async fn retry_after_in_milliseconds_holds_the_processor_of_a_busy_server() {
    let backend = Backend::start().await;
    let service = service(&backend, "max_attempts = 1\n").await;
    let mut listener = service.listen("").await;
    let id = service.submit_to("hook", "").await;
    let headers = "retry-after-ms: 1500\r\nRetry-After: 3600\r\n";
    backend
        .next()
        .await
        .answer("429 Too Many Requests", headers, "")
        .await;
    let events = listener.until("TASK_RETRYING", &id).await;
    let wait = wait_of(events.last().expect("one event"));
    assert!((0.0..=2.0).contains(&wait), "{wait}");
    backend.next().await.answer("200 OK", "", "done").await;
    assert_eq!(service.finished(&id).await["result"], "done");
    service.ends_well().await;
}

#[tokio::test]
async fn a_secret_that_is_no_key_stops_the_start_and_a_late_one_the_attempt() {
    for (secret, wrong) in [
        ("whsec_", "an empty key"),
        ("whsec_not base64", "not base64"),
        ("raw-bytes", "not base64"),
    ] {
        let table = webhook(
            "hook",
            "http://127.0.0.1:9/",
            "secret_env = \"HOOK_SECRET\"",
        );
        let setup = Setup::new().variable("HOOK_SECRET", secret).table(&table);
        let (status, log) = setup.start_and_fail().await;
        assert_eq!(status.code(), Some(1), "{log}");
        for word in [
            "processors.hook.secret_env",
            "`HOOK_SECRET`",
            wrong,
            "expected a key in base64",
        ] {
            assert!(log.contains(word), "no {word:?} in: {log}");
        }
        assert!(
            !log.contains("raw-bytes") && !log.contains("not base64\" "),
            "{log}"
        );
    }
    let table = webhook("hook", "http://127.0.0.1:9/", "secret_file = \"late.txt\"");
    let setup = Setup::new().table(&table);
    let path = setup.folder().join("late.txt");
    let service = setup.start().await;
    std::fs::write(&path, "raw-bytes\n").expect("a file");
    let id = service.submit_to("hook", "").await;
    assert_failed(
        &service.finished(&id).await,
        "the webhook's secret is not base64; expected a key in base64",
    );
    service.ends_well().await;
}
