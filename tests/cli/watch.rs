//! watch: every event once, whatever happens to the connection.

use std::net::{TcpListener, TcpStream};

use rustix::process::Signal;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::harness::Folder;

#[test]
fn people_get_lines() {
    let folder = Folder::new();
    let _service = folder.serve();
    let id = folder.succeed(&["submit", "--wait", "--json", "first\nline"]);
    let id: Value = serde_json::from_str(&id).unwrap();
    let id = id["id"].as_str().unwrap();
    let watch = folder.start(&["watch", "--since", "0", "--task", id]);
    watch.err.until("watching http://127.0.0.1:");
    for expected in [
        format!("TASK_CREATED {id} first\\nline"),
        format!("TASK_STARTED {id} attempt=1"),
        format!("TASK_COMPLETED {id} result_length=21"),
    ] {
        let line = watch.out.next();
        let (time, rest) = line.split_once(' ').unwrap();
        assert_eq!((time.len(), rest), (8, expected.as_str()));
    }
    watch.signal(Signal::INT);
    assert_eq!(watch.code(), 0);
}

#[test]
fn only_the_types_that_were_asked_for_are_shown() {
    let folder = Folder::new();
    let _service = folder.serve();
    folder.succeed(&["submit", "--wait", "hello"]);
    folder.succeed(&["pause"]);
    let types = "task_completed,QUEUE_PAUSED";
    let watch = folder.start(&["watch", "--since", "0", "--types", types]);
    assert!(watch.out.next().contains(" TASK_COMPLETED "));
    assert!(watch.out.next().contains(" QUEUE_PAUSED "));
}

#[test]
fn nothing_is_missed_and_nothing_repeated_over_restarts() {
    let folder = Folder::new();
    let mut service = folder.serve();
    let watch = folder.start(&["watch", "--json"]);
    watch.err.until("watching");
    for signal in [Signal::TERM, Signal::KILL] {
        folder.succeed(&["submit", "--wait", "before"]);
        service.signal(signal);
        watch.err.until("connection lost");
        drop(service);
        service = folder.serve();
        // Most likely before the watcher is back, which makes no difference.
        folder.succeed(&["submit", "--wait", "after"]);
        watch.err.until("reconnected");
    }

    let ids = (0..).map(|_| -> Value { serde_json::from_str(&watch.out.next()).unwrap() });
    let ids = ids
        .filter(|frame| frame["type"] != "SYSTEM_LOG")
        .map(|frame| frame["id"].as_i64().unwrap());
    // Four tasks with three events each.
    let ids: Vec<_> = ids.take(12).collect();
    assert_eq!(ids, (1..=12).collect::<Vec<_>>());
    watch.signal(Signal::INT);
    assert_eq!(watch.code(), 0);
}

#[test]
fn what_the_service_left_out_is_read_again() {
    let folder = Folder::new();
    let service = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", service.local_addr().unwrap());
    let watch = folder.start(&["watch", "--url", &url]);

    let (mut socket, query) = accept(&service);
    assert_eq!(query, None);
    tell(&mut socket, "SYSTEM_LOG", 5, json!({}));
    tell(&mut socket, "TASK_LOG", 6, json!({"line": "six"}));
    tell(&mut socket, "EVENTS_MISSED", 9, json!({"from": 7, "to": 9}));
    assert!(watch.out.next().ends_with(" TASK_LOG six"));
    watch.err.until("reading the missed ones");

    let (mut socket, query) = accept(&service);
    assert_eq!(query.as_deref(), Some("since=6"));
    tell(&mut socket, "SYSTEM_LOG", 6, json!({}));
    tell(&mut socket, "TASK_LOG", 7, json!({"line": "seven"}));
    assert!(watch.out.next().ends_with(" TASK_LOG seven"));

    // The last words of a service may be ahead of what it has told.
    tell(&mut socket, "SYSTEM_LOG", 9, json!({}));
    drop(socket);
    assert_eq!(accept(&service).1.as_deref(), Some("since=7"));
}

/// The next listener, and what it asks for.
fn accept(service: &TcpListener) -> (WebSocket<TcpStream>, Option<String>) {
    let (stream, _) = service.accept().unwrap();
    let mut query = None;
    #[expect(
        clippy::result_large_err,
        reason = "the handshake's callback has this type"
    )]
    let note = |request: &Request, response: Response| {
        query = request.uri().query().map(str::to_owned);
        Ok(response)
    };
    let socket = tungstenite::accept_hdr(stream, note).unwrap();
    (socket, query)
}

fn tell(socket: &mut WebSocket<TcpStream>, kind: &str, id: i64, data: Value) {
    let frame = json!({
        "id": id, "type": kind, "agent": null, "message": "words",
        "timestamp": "2026-01-31T12:00:01.000000Z", "data": data,
    });
    socket.send(Message::text(frame.to_string())).unwrap();
}

#[test]
fn it_needs_a_service_to_begin_with() {
    let folder = Folder::new();
    let watch = folder.run(&["watch", "--url", "http://127.0.0.1:1"]);
    assert_eq!((watch.code, watch.out.as_str()), (1, ""));
    assert_eq!(
        watch.err,
        "error: no venom service answers at http://127.0.0.1:1; start one with `venom serve`\n"
    );
}
