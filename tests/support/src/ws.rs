//! A listener at `/ws/events`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::service::Service;
use crate::wait::in_time;

pub struct Listener {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Service {
    /// A listener that has got its first frame; `query` begins with `?` or is empty.
    pub async fn listen(&self, query: &str) -> Listener {
        let (listener, welcome) = self.connect(query).await;
        assert_eq!(welcome["message"], "Connected to Venom Telemetry");
        listener
    }

    /// A listener, and its first frame.
    pub async fn connect(&self, query: &str) -> (Listener, Value) {
        let url = format!("ws://{}/ws/events{query}", self.authority());
        let (socket, _) = in_time("a socket opens", connect_async(url))
            .await
            .expect("a socket");
        let mut listener = Listener { socket };
        let welcome = listener.next_event().await;
        (listener, welcome)
    }

    /// Everything in the journal, as a listener who comes now is told it.
    pub async fn replay(&self) -> Vec<Value> {
        let newest = "SELECT coalesce(max(id), 0) FROM logs";
        let newest = self.database().await.number(newest).await;
        let mut listener = self.listen("?since=0").await;
        let mut events = Vec::new();
        while events
            .last()
            .is_none_or(|last: &Value| last["id"] != newest)
            && newest > 0
        {
            events.push(listener.next_event().await);
        }
        events
    }
}

impl Listener {
    /// The next frame, as it was sent; `None` when the service has closed the socket.
    pub async fn next_frame(&mut self) -> Result<String, Option<CloseFrame>> {
        loop {
            match in_time("a frame arrives", self.socket.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    /// How the service closes after these bytes, which are sent as they are.
    pub async fn closed_after(mut self, bytes: &[u8]) -> Option<CloseFrame> {
        let MaybeTlsStream::Plain(stream) = self.socket.get_mut() else {
            panic!("it is not encrypted");
        };
        stream.write_all(bytes).await.expect("an open socket");
        loop {
            if let Err(close) = self.next_frame().await {
                return close;
            }
        }
    }

    /// The next event.
    pub async fn next_event(&mut self) -> Value {
        let frame = self.next_frame().await.expect("a frame before the end");
        serde_json::from_str(&frame).expect("a JSON frame")
    }

    /// All events up to the first of this type for this task, which is the last.
    pub async fn until(&mut self, kind: &str, task_id: &str) -> Vec<Value> {
        let mut events = Vec::new();
        loop {
            let event = self.next_event().await;
            let found = event["type"] == kind && event["data"]["task_id"] == task_id;
            events.push(event);
            if found {
                return events;
            }
        }
    }

    /// All events up to the end, each counted as it comes.
    pub async fn counted_until_closed(mut self, count: Arc<AtomicUsize>) -> Vec<Value> {
        let mut events = Vec::new();
        while let Ok(frame) = self.next_frame().await {
            events.push(serde_json::from_str(&frame).expect("a JSON frame"));
            count.store(events.len(), Ordering::Relaxed);
        }
        events
    }

    /// All events up to the end, and how the service closed.
    pub async fn until_closed(mut self) -> (Vec<Value>, Option<CloseFrame>) {
        let mut events = Vec::new();
        loop {
            match self.next_frame().await {
                Ok(frame) => events.push(serde_json::from_str(&frame).expect("a JSON frame")),
                Err(close) => return (events, close),
            }
        }
    }
}
