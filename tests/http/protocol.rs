//! HTTP by the book: hosts, encodings, upgrades, and requests that cannot be read.

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use support::{Answer, Service, Setup, in_time};

const SOCKET: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
const KEY: &str = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";

/// What the service answers to these bytes: the head, and the body as JSON. The connection ends with it.
async fn answered(service: &Service, request: &str) -> (String, Value) {
    let mut wire = service.wire().await;
    assert!(wire.send(request).await);
    let answer = wire.read_to_end().await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let body = serde_json::from_str(body).unwrap_or_default();
    (head.to_owned(), body)
}

/// Whether it is refused with this status and a sentence.
#[track_caller]
fn is_refused((head, body): &(String, Value), status: u16) {
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{head}");
    let sentence = body["detail"].as_str().expect("a sentence");
    assert!(sentence.ends_with('.'), "{sentence}");
    let length = format!("content-length: {}", body.to_string().len());
    assert!(head.to_lowercase().contains(&length), "{head}");
    assert!(
        head.to_lowercase()
            .contains("content-type: application/json"),
        "{head}"
    );
}

#[tokio::test]
async fn there_is_one_host_and_it_is_valid() {
    let service = Service::start().await;
    let port = service.authority().rsplit(':').next().unwrap().to_owned();
    for (target, hosts) in [
        ("/healthz", ""),
        ("/healthz", "Host: localhost\r\nHost: localhost\r\n"),
        ("/healthz", "Host: localhost\r\nHost: evil.example\r\n"),
        ("/healthz", "Host:\r\n"),
        ("/healthz", "Host: local host\r\n"),
        ("/healthz", "Host: localhost:port\r\n"),
        ("/healthz", "Host: localhost:70000\r\n"),
        ("/healthz", "Host: me@localhost\r\n"),
        ("/healthz", "Host: localhost/x\r\n"),
        ("/healthz", "Host: [::1\r\n"),
        ("/healthz", "Host: lokalhóst\r\n"),
        ("http://localhost/healthz", "Host: 127.0.0.1\r\n"),
        ("http://evil.example/healthz", "Host: localhost\r\n"),
        ("http://localhost:81/healthz", "Host: localhost\r\n"),
        ("http://me@localhost/healthz", "Host: localhost\r\n"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nConnection: close\r\n{hosts}\r\n");
        let answer = answered(&service, &request).await;
        assert!(
            answer.0.starts_with("HTTP/1.1 400 "),
            "{request}: {answer:?}"
        );
        is_refused(&answer, 400);
    }
    for (line, host) in [
        (
            "GET /healthz HTTP/1.1".to_owned(),
            "Host: LOCALHOST\r\n".to_owned(),
        ),
        (
            "GET /healthz HTTP/1.1".to_owned(),
            format!("Host: [::1]:{port}\r\n"),
        ),
        (
            "GET /healthz HTTP/1.1".to_owned(),
            "Host: 127.0.0.1:\r\n".to_owned(),
        ),
        (
            "GET http://localhost/healthz HTTP/1.1".to_owned(),
            "Host: localhost:80\r\n".to_owned(),
        ),
        (
            format!("GET http://localhost:{port}/healthz HTTP/1.1"),
            format!("Host: Localhost:{port}\r\n"),
        ),
        // HTTP/1.0 has no Host.
        ("GET /healthz HTTP/1.0".to_owned(), String::new()),
    ] {
        let (head, body) = answered(
            &service,
            &format!("{line}\r\nConnection: close\r\n{host}\r\n"),
        )
        .await;
        assert!(head.contains(" 200 "), "{line} {host}: {head}");
        assert_eq!(body["status"], "ok", "{line} {host}");
    }
    service.ends_well().await;
}

#[tokio::test]
async fn an_encoded_body_is_refused_and_not_stored() {
    let service = Service::start().await;
    for (path, encoding) in [
        ("/api/v1/tasks", "gzip"),
        ("/api/v1/tasks/batch", "br"),
        ("/api/v1/import", "gzip"),
        ("/api/v1/tasks", "identity, deflate"),
        ("/api/v1/queue/pause", "zstd"),
    ] {
        let request = service
            .request(Method::POST, path)
            .header("content-encoding", encoding);
        let answer = Answer::of(request.json(&json!({"content": "x", "tasks": []}))).await;
        let sentence = answer.sentence(415);
        assert!(
            sentence.contains(encoding) && sentence.contains("without Content-Encoding"),
            "{sentence}"
        );
        assert_eq!(answer.headers["accept-encoding"], "identity", "{path}");
    }
    assert_eq!(service.get("/api/v1/tasks").await.expect(200), json!([]));
    assert_eq!(service.queue_status().await["paused"], false);
    let plain = service
        .request(Method::POST, "/api/v1/tasks")
        .header("content-encoding", "Identity");
    Answer::of(plain.json(&json!({"content": "x"})))
        .await
        .expect(201);
    let strange = service
        .request(Method::POST, "/api/v1/tasks")
        .header("expect", "the unexpected");
    Answer::of(strange.json(&json!({"content": "x"})))
        .await
        .sentence(417);
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_no_websocket_is_told_which_one_to_ask_for() {
    let service = Service::start().await;
    for (extra, status) in [
        ("", 426),
        ("Connection: Upgrade\r\nUpgrade: h2c\r\n", 426),
        (&format!("{SOCKET}{KEY}"), 426),
        (&format!("{SOCKET}{KEY}Sec-WebSocket-Version: 8\r\n"), 426),
        (&format!("{SOCKET}Sec-WebSocket-Version: 13\r\n"), 400),
        (
            &format!("{SOCKET}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n"),
            400,
        ),
    ] {
        let request = format!("GET /ws/events HTTP/1.1\r\nHost: localhost\r\n{extra}\r\n");
        let mut wire = service.wire().await;
        assert!(wire.send(&request).await);
        let answer = wire.read_until("\"}").await.to_lowercase();
        assert!(
            answer.starts_with(&format!("http/1.1 {status} ")),
            "{extra}: {answer}"
        );
        if status == 426 {
            for line in [
                "upgrade: websocket",
                "connection: upgrade",
                "sec-websocket-version: 13",
            ] {
                assert!(
                    answer.contains(&format!("\r\n{line}\r\n")),
                    "{line}: {answer}"
                );
            }
        }
    }
    service.ends_well().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_the_usual_shape() {
    let service = Service::start().await;
    let long = "x".repeat(200_000);
    let many: String = (0..120).map(|n| format!("X-{n}: 1\r\n")).collect();
    for (request, status) in [
        ("hello\r\n\r\n".to_owned(), 400),
        ("GET /healthz HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n".to_owned(), 400),
        ("GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n".to_owned(), 400),
        ("POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: many\r\n\r\n".to_owned(), 400),
        (
            "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx"
                .to_owned(),
            400,
        ),
        (
            "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            400,
        ),
        (format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{many}\r\n"), 431),
        (format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n"), 431),
    ] {
        let shown = request.get(..200).unwrap_or(&request).to_owned();
        let answer = answered(&service, &request).await;
        assert!(answer.0.starts_with(&format!("HTTP/1.1 {status} ")), "{shown}: {answer:?}");
        is_refused(&answer, status);
        let head = answer.0.to_lowercase();
        assert!(head.contains("connection: close") && head.contains("nosniff"), "{head}");
    }
    assert_eq!(service.get("/api/v1/tasks").await.expect(200), json!([]));
    service.ends_well().await;
}

#[tokio::test]
async fn a_token_that_does_not_hold_is_called_invalid() {
    let setup = Setup::new().setting("auth", "\"required\"");
    setup.create_token(&["reader", "--role", "read"]);
    let service = setup.start().await;
    for (token, expected) in [
        (None, "Bearer"),
        (Some("venom_wrong"), "Bearer error=\"invalid_token\""),
        // That is none at all.
        (Some(""), "Bearer"),
    ] {
        let mut request = service.request(Method::GET, "/api/v1/tasks");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = Answer::of(request).await;
        assert!(!answer.sentence(401).is_empty());
        assert_eq!(answer.headers["www-authenticate"], expected, "{token:?}");
    }
}

#[tokio::test]
async fn a_socket_that_breaks_the_rules_is_closed_with_their_code() {
    let service = Service::start().await;
    // Frames with a mask of zeros: a text that is no UTF-8, a reserved opcode, a text of 5,000 bytes.
    let mut long = vec![0x81, 0xfe, 0x13, 0x88, 0, 0, 0, 0];
    long.extend([b'x'; 5_000]);
    for (bytes, code) in [
        (vec![0x81, 0x82, 0, 0, 0, 0, 0xff, 0xfe], CloseCode::Invalid),
        (vec![0x83, 0x80, 0, 0, 0, 0], CloseCode::Protocol),
        // Not masked, as a client's frames have to be.
        (vec![0x81, 0x02, b'h', b'i'], CloseCode::Protocol),
        (long, CloseCode::Size),
    ] {
        let listener = service.listen("").await;
        let closed = listener.closed_after(&bytes).await;
        assert_eq!(
            closed.expect("a close frame").code,
            code,
            "{:?}",
            &bytes[..4]
        );
    }
    service.ends_well().await;
}

#[tokio::test]
async fn a_listener_whose_token_is_revoked_is_told_so() {
    let setup = Setup::new().setting("auth", "\"required\"");
    let token = setup.create_token(&["reader", "--role", "read"]);
    let service = setup.start().await;
    let url = format!("ws://{}/ws/events", service.authority());
    let mut request = url.into_client_request().unwrap();
    let value = format!("Bearer {token}").parse().unwrap();
    request.headers_mut().insert("authorization", value);
    let (mut socket, _) = in_time("a socket opens", connect_async(request))
        .await
        .unwrap();
    assert!(
        service
            .setup()
            .token(&["revoke", "reader"])
            .status
            .success()
    );
    let close = loop {
        match in_time("the end of a socket", socket.next()).await {
            Some(Ok(Message::Close(close))) => break close.expect("a code"),
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        (close.code, close.reason.as_str()),
        (CloseCode::Policy, "the token was revoked")
    );
}

/// serde_json hands numbers on as objects with a private key; a client's object with it stays an object.
#[tokio::test]
async fn an_object_is_an_object_whatever_its_keys() {
    let objects = json!({
        "number": {"$serde_json::private::Number": "12"},
        "none": {"$serde_json::private::Number": "no number"},
        "raw": {"$serde_json::private::RawValue": "{\"a\":1}"},
        "more": [{"a": {"$serde_json::private::Number": {"$serde_json::private::Number": 7}}}],
        "real": 1.50,
    });
    let service = Service::with_worker("").await;
    let body = |content: &str| format!(r#"{{"content": "{content}", "kept": {objects}}}"#);
    let escaped = body("escaped").replacen("$serde", "\\u0024serde", 2);
    let mut ids = Vec::new();
    for body in [body("plain"), escaped] {
        let created = service.post_text("/api/v1/tasks", body).await.expect(201);
        ids.push(created["task_id"].as_str().unwrap().to_owned());
    }
    let batch = format!(r#"{{"tasks": [{}]}}"#, body("batch"));
    let created = service
        .post_text("/api/v1/tasks/batch", batch)
        .await
        .expect(201);
    ids.push(created["task_ids"][0].as_str().unwrap().to_owned());
    let request = service.request(Method::POST, "/api/v1/tasks/batch");
    let request = request
        .header("content-type", "application/x-ndjson")
        .body(body("line"));
    let created = Answer::of(request).await.expect(201);
    ids.push(created["task_ids"][0].as_str().unwrap().to_owned());
    let kept = |text: &str| text.contains(&format!(r#""kept":{objects}"#));
    for id in &ids {
        let task = service.get(&format!("/api/v1/tasks/{id}")).await;
        assert_eq!(task.status, 200, "{task:?}");
        assert!(kept(task.text()), "{}", task.text());
    }
    // Out, and in again.
    let dump = service.get("/api/v1/export").await.text().to_owned();
    assert_eq!(
        dump.matches(&format!(r#""kept":{objects}"#)).count(),
        4,
        "{dump}"
    );
    let other = Service::start().await;
    let other_dump = dump.replacen('{', r#"{"beside":{"$serde_json::private::Number":"x"},"#, 1);
    other
        .post_text("/api/v1/import", other_dump)
        .await
        .expect(200);
    for id in &ids {
        let task = other.get(&format!("/api/v1/tasks/{id}")).await;
        assert!(kept(task.text()), "{}", task.text());
    }
    let again = other.get("/api/v1/export").await.text().to_owned();
    assert!(
        again.contains(r#""beside": {"$serde_json::private::Number":"x"}"#),
        "{again}"
    );
    // In an error it is shown as it came.
    let wrong = r#"{"content": {"$serde_json::private::Number": "12"}}"#;
    let problem = service.post_text("/api/v1/tasks", wrong).await.problem();
    assert_eq!(problem["type"], "string_type");
    // The test's own reader would take the object for a number.
    service.ends_well().await;
    other.ends_well().await;
}
