//! Slow, silent, greedy and rude clients cost the others nothing.

use serde_json::json;

use support::{Answer, Service, Setup, Wire, eventually};

const STATUS: &str = "GET /api/v1/queue/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SUBMIT: &str = "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n\
                      Content-Type: application/json\r\nContent-Length: 20\r\n\r\n";

/// Asks on a kept-alive connection and reads the answer.
async fn ask(wire: &mut Wire) {
    assert!(wire.send(STATUS).await);
    let answer = wire.read_until("\"limit\"").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

async fn is_served(service: &Service) {
    assert_eq!(service.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn a_head_that_does_not_come_to_its_end_is_cut_off() {
    let service = Setup::new().setting("header_timeout", 1).start().await;
    let mut slow = service.wire().await;
    assert!(slow.send("GET /healthz HTTP/1.1\r\nHost: local").await);
    is_served(&service).await;
    let answer = slow.read_to_end().await;
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 408 "),
        "{answer}"
    );
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_to_its_end_is_408_and_not_stored() {
    let service = Setup::new().setting("request_timeout", 1).start().await;
    let mut slow = service.wire().await;
    assert!(slow.send(format!("{SUBMIT}{{\"content\": ")).await);
    let answer = slow.read_until("\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert_eq!(service.get("/api/v1/tasks").await.text(), "[]");
    service.ends_well().await;
}

#[tokio::test]
async fn a_body_that_breaks_off_is_not_stored() {
    let service = Service::start().await;
    let mut rude = service.wire().await;
    assert!(rude.send(format!("{SUBMIT}{{\"content\": ")).await);
    drop(rude);
    is_served(&service).await;
    assert_eq!(service.get("/api/v1/tasks").await.text(), "[]");
    service.ends_well().await;
}

#[tokio::test]
async fn a_client_that_leaves_before_the_answer_keeps_its_task_or_none() {
    let service = Service::start().await;
    for _ in 0..50 {
        let mut rude = service.wire().await;
        assert!(
            rude.send(format!("{SUBMIT}{{\"content\": \"bye!\"}} "))
                .await
        );
        drop(rude);
    }
    is_served(&service).await;
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_connection_with_nothing_to_do_is_closed_after_a_while() {
    let setup = Setup::new().setting("header_timeout", 1);
    let service = setup.start().await;
    let mut silent = service.wire().await;
    let mut idle = service.wire().await;
    ask(&mut idle).await;
    assert_eq!(silent.read_to_end().await, "");
    assert_eq!(idle.read_to_end().await, "");
    service.ends_well().await;
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_until_there_is_room() {
    let service = Setup::new().setting("max_connections", 3).start().await;
    let mut held = [
        service.wire().await,
        service.wire().await,
        service.wire().await,
    ];
    for wire in &mut held {
        ask(wire).await;
    }
    let mut waiting = service.wire().await;
    assert!(waiting.send(STATUS).await);
    for wire in &mut held {
        ask(wire).await;
        ask(wire).await;
    }
    assert!(!waiting.has_answer());
    drop(held);
    let answer = waiting.read_until("\"limit\"").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(waiting);
    service.ends_well().await;
}

#[tokio::test]
async fn one_address_never_holds_all_connections_and_hears_why() {
    let service = Setup::new().setting("max_connections", 8).start().await;
    let mut held = Vec::new();
    for _ in 0..6 {
        let mut wire = service.wire().await;
        ask(&mut wire).await;
        held.push(wire);
    }
    let mut refused = service.wire().await;
    assert!(refused.send(STATUS).await);
    let answer = refused.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    assert!(answer.contains("limit of connections"), "{answer}");
    for wire in &mut held {
        ask(wire).await;
    }
    drop(held);
    eventually("the service sees that they are closed", || async {
        let answer = service.get("/healthz").await;
        (answer.status == 200).then_some(())
    })
    .await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_proxy_that_is_trusted_may_hold_all_connections() {
    let setup = Setup::new().setting("max_connections", 8);
    let setup = setup.setting("trusted_proxies", "[\"127.0.0.1\"]");
    let service = setup.start().await;
    let mut held = Vec::new();
    for _ in 0..8 {
        let mut wire = service.wire().await;
        ask(&mut wire).await;
        held.push(wire);
    }
    drop(held);
    service.ends_well().await;
}

/// More than fits in any buffer between a client and the service.
const LARGE: usize = 64 * 1024 * 1024;

/// Sends a body in 64 KiB pieces, each as a chunk if it has no declared length.
async fn send_large(wire: &mut Wire, is_chunked: bool) -> bool {
    let mut piece = vec![b' '; 64 * 1024];
    if is_chunked {
        piece = [b"10000\r\n".to_vec(), piece, b"\r\n".to_vec()].concat();
    }
    for _ in 0..LARGE / (64 * 1024) {
        if !wire.send(&piece).await {
            return false;
        }
    }
    !is_chunked || wire.send("0\r\n\r\n").await
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_its_413_whatever_way_it_is_sent() {
    let service = Service::start().await;
    let head =
        |headers: &str| format!("POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    // Who waits for `100 Continue` hears at once that it need not send anything.
    let mut polite = service.wire().await;
    let length = format!("Content-Length: {LARGE}\r\n");
    let expects = format!("{length}Expect: 100-continue\r\n");
    assert!(polite.send(head(&expects)).await);
    let answer = polite.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // Who sends all of it before it listens can do so.
    for headers in [length.as_str(), "Transfer-Encoding: chunked\r\n"] {
        let mut blunt = service.wire().await;
        assert!(blunt.send(head(headers)).await);
        assert!(
            send_large(&mut blunt, headers.contains("chunked")).await,
            "{headers}"
        );
        let answer = blunt.read_until("\"detail\"").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    // The same for what is refused for any other reason.
    let mut lost = service.wire().await;
    let elsewhere = head(&length).replace("/api/v1/tasks", "/nothing");
    assert!(lost.send(elsewhere).await);
    assert!(send_large(&mut lost, false).await);
    let answer = lost.read_until("\"detail\"").await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    service.ends_well().await;
}

#[tokio::test]
async fn uploads_that_stall_are_answered_when_others_need_their_room() {
    let setup = Setup::new().setting("body_limit_bytes", 1024 * 1024);
    let service = setup.start().await;
    // Nine times 900 KiB is more than there is room for.
    let stalled =
        "POST /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n";
    let mut uploads = Vec::new();
    for _ in 0..9 {
        let mut wire = service.wire().await;
        assert!(wire.send(stalled).await);
        assert!(wire.send(vec![b' '; 900 * 1024]).await);
        uploads.push(wire);
    }
    // Small bodies have room whatever the large ones do, and a large one gets it from one that stalls.
    service.submit("small").await;
    let large = "x".repeat(900 * 1024);
    eventually("a large body finds room", || async {
        let body = json!({ "content": large });
        let answer = service.post_json("/api/v1/tasks", &body).await;
        match answer.status {
            503 => None,
            _ => Some(answer.expect(201)),
        }
    })
    .await;
    let mut answers = Vec::new();
    for wire in &mut uploads {
        if wire.has_answer() {
            answers.push(wire.read_until("\"detail\"").await);
        }
    }
    assert!(!answers.is_empty());
    drop(uploads);
    service.drained().await;
    service.ends_well().await;
}

#[tokio::test]
async fn silent_connections_cannot_hold_every_slot_for_long() {
    let setup = Setup::new()
        .setting("max_connections", 3)
        .setting("header_timeout", 1)
        .setting("idle_timeout", 1);
    let service = setup.start().await;
    let silent = [
        service.wire().await,
        service.wire().await,
        service.wire().await,
    ];
    let mut half = [
        service.wire().await,
        service.wire().await,
        service.wire().await,
    ];
    for wire in &mut half {
        assert!(wire.send("GET /healthz HT").await);
    }
    is_served(&service).await;
    drop((silent, half));
    service.ends_well().await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_431() {
    let service = Service::start().await;
    let large = "x".repeat(1024 * 1024);
    let many = (0..150)
        .map(|n| format!("X-{n}: 1\r\n"))
        .collect::<String>();
    for headers in [format!("X-Large: {large}\r\n"), many] {
        let mut greedy = service.wire().await;
        greedy
            .send(format!(
                "GET /healthz HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n"
            ))
            .await;
        let answer = greedy.read_to_end().await;
        // What is refused half-read may end in a reset that overtakes the answer.
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 431 "),
            "{answer}"
        );
    }
    let fine = service
        .request(reqwest::Method::GET, "/healthz")
        .header("x-large", "x".repeat(16_000));
    assert_eq!(Answer::of(fine).await.status, 200);
    service.ends_well().await;
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let service = Service::start().await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        let mut stranger = service.wire().await;
        stranger.send(bytes).await;
        stranger.finish().await;
        let answer = stranger.read_to_end().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 400 "),
            "{answer}"
        );
    }
    is_served(&service).await;
    service.ends_well().await;
}

#[tokio::test]
async fn a_reader_that_stops_in_the_middle_of_a_listing_holds_up_nobody() {
    let service = Service::start().await;
    service.pause().await;
    let mut database = service.database().await;
    let large = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)
                 INSERT INTO tasks(content) SELECT printf('%.*c', 100000, 'x') FROM n";
    database.run(large).await.unwrap();
    let mut stuck = Vec::new();
    for _ in 0..20 {
        let mut wire = service.wire().await;
        assert!(
            wire.send("GET /api/v1/tasks HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .await
        );
        wire.read_until("HTTP/1.1 200 ").await;
        stuck.push(wire);
    }
    // Readers and writers go on while twenty listings are half-way.
    let id = service.submit("meanwhile").await;
    assert_eq!(service.task(&id).await["content"], "meanwhile");
    let listed = service.get("/api/v1/tasks").await;
    assert_eq!(listed.expect(200).as_array().unwrap().len(), 401);
    drop(stuck);
    service.purge().await;
    service.ends_well().await;
}
