//! A client of `GET /api/v1/tasks/{id}/stream`.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use reqwest::Method;
use serde_json::Value;

use crate::service::Service;
use crate::wait::in_time;

/// One server-sent event.
#[derive(Clone, Debug, PartialEq)]
pub struct SseEvent {
    pub event: String,
    pub id: Option<String>,
    pub data: Value,
    /// How long it is as it is sent.
    pub bytes: usize,
}

pub struct SseStream {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    /// What has come of the next events. A chunk may end within a character.
    arrived: Vec<u8>,
}

impl Service {
    /// Follows a task, from the event `last_event_id` on if given.
    pub async fn follow(&self, id: &str, last_event_id: Option<&str>) -> SseStream {
        let mut request = self.request(Method::GET, &format!("/api/v1/tasks/{id}/stream"));
        if let Some(last) = last_event_id {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        SseStream {
            bytes: Box::pin(response.bytes_stream()),
            arrived: Vec::new(),
        }
    }
}

impl SseStream {
    /// The next event; `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<SseEvent> {
        loop {
            let end = self.arrived.windows(2).position(|pair| pair == b"\n\n");
            if let Some(end) = end {
                let block: Vec<_> = self.arrived.drain(..end + 2).collect();
                return Some(parse(std::str::from_utf8(&block[..end]).expect("UTF-8")));
            }
            let chunk = in_time("a server-sent event", self.bytes.next()).await?;
            self.arrived
                .extend(chunk.expect("a stream that is not cut"));
        }
    }

    /// Everything to the end.
    pub async fn rest(mut self) -> Vec<SseEvent> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }
}

fn parse(block: &str) -> SseEvent {
    let field = |name: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(name));
        line.map(|value| value.trim_start().to_owned())
    };
    SseEvent {
        // With the empty line after it.
        bytes: block.len() + 2,
        event: field("event:").expect("an event's name"),
        id: field("id:"),
        data: serde_json::from_str(&field("data:").expect("data")).expect("JSON"),
    }
}
