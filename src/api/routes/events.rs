//! `WS /ws/events`: streams the journal to WebSocket clients.
//!
//! Each socket has one [`Feed`] and writes at its own pace. The queue for a listener that does not read is bounded: one
//! delivery, the socket's write buffer and the kernel's. Each socket watches for the shutdown itself, because the server does
//! not control an upgraded connection.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::error::ProtocolError;

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Problem, Refusal};
use crate::api::http::address_limit::ConnectionPermit;
use crate::api::input::query::Query;
use crate::api::openapi::parameters;
use crate::events::{Delivery, Feed, Filter};
use crate::models::{Event, EventType, FIRST_FRAME_MESSAGE, TaskId, Timestamp};
use crate::state::{Error, StateManager};

/// The subprotocol that pages offer beside the one with their token: a browser requires that the server selects one of
/// those it offered.
const PROTOCOL: &str = "venom.events";

/// How often a silent connection is probed.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// Steps (a minute in all) after which a listener that reads nothing, or answers no ping, is disconnected.
const PATIENCE_STEPS: u32 = 12;
const PATIENCE_STEP: Duration = Duration::from_secs(5);
/// Time to send the closing frames at a shutdown.
const FAREWELL: Duration = Duration::from_secs(1);
/// Bytes a socket may collect before they are written.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Largest incoming message. Listeners send only pongs, which are small.
const INCOMING_LIMIT_BYTES: usize = 4096;
/// Size of a socket's read buffer, which is allocated at once. The library's default is 128 KiB.
const READ_BUFFER_BYTES: usize = 1024;

/// Follow all events by WebSocket.
///
/// Each event is one JSON text frame with `id` (increasing), `type`, `agent`, `message`, `timestamp` and `data`. The first
/// frame is a `SYSTEM_LOG` greeting. A listener that is too slow receives `EVENTS_MISSED` with the range `data.from` to
/// `data.to`, and can request it with `since`. A frame has at most 1 MiB: longer texts are truncated, and `data.truncated`
/// holds the number of characters of each. A token that is restricted to some processors must name a task (`task_id`).
#[utoipa::path(
    get, path = "/ws/events", tag = "Events", operation_id = "listen",
    params(parameters::EventParameters),
    responses(
        (status = 101, description = "The connection becomes a WebSocket"),
        (status = 404, description = "There is no such task for this token", body = Refusal),
        (status = 400, description = "The header `Sec-WebSocket-Key` is missing or wrong", body = Refusal),
        (status = 426, description = "The request is not a WebSocket upgrade", body = Refusal),
    ),
)]
pub(crate) async fn socket(
    State(api): Shared,
    caller: Caller,
    uri: Uri,
    headers: HeaderMap,
    Extension(permit): Extension<ConnectionPermit>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, ApiError> {
    let query = Query::parse(uri.query(), &["since", "types", "task_id"])?;
    let since = query.get("since", "int_parsing", "an event id, a whole number")?;
    let filter = Filter {
        types: types(&query)?,
        task_id: query.get("task_id", "uuid_parsing", "a valid UUID")?,
    };
    match filter.task_id {
        None => caller.require_unrestricted()?,
        Some(task) if caller.may_not_see(&api.state, task).await? => {
            return Err(ApiError::NotFound("Task not found"));
        }
        Some(_) => {}
    }
    let upgrade = upgrade.map_err(|rejection| match rejection {
        WebSocketUpgradeRejection::WebSocketKeyHeaderMissing(_) => no_key(),
        _ => ApiError::NoWebSocket,
    })?;
    if !is_key(headers.get(header::SEC_WEBSOCKET_KEY)) {
        return Err(no_key());
    }
    let task_id = filter.task_id;
    let feed = Feed::new(api.state.bus(), api.state.clone(), filter, since);
    Ok(upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_message_size(INCOMING_LIMIT_BYTES)
        .protocols([PROTOCOL])
        .on_upgrade(async move |socket| {
            let listeners = api.listeners.clone();
            listeners.spawn(async move {
                let subscription = EventSubscription {
                    feed,
                    caller: caller.clone(),
                    task_id,
                };
                serve_socket(socket, subscription, caller, api).await;
                drop(permit);
            });
        }))
}

fn no_key() -> ApiError {
    let detail = "The header Sec-WebSocket-Key should be 16 bytes in base64.".to_owned();
    ApiError::Status(StatusCode::BAD_REQUEST, detail)
}

fn is_key(key: Option<&HeaderValue>) -> bool {
    let decoded = key.and_then(|key| BASE64_STANDARD.decode(key.as_bytes()).ok());
    decoded.is_some_and(|bytes| bytes.len() == 16)
}

fn types(query: &Query) -> Result<Option<std::collections::HashSet<EventType>>, ApiError> {
    let Some(names) = query.text("types") else {
        return Ok(None);
    };
    let types = names
        .split(',')
        .map(|name| {
            name.trim().parse().map_err(|error| {
                let msg = format!("Input should be event types, separated by commas: {error}");
                ApiError::from(Problem::new("enum", &["query", "types"], msg, json!(names)))
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Some(types))
}

/// The feed of one listener, and the caller that may see it.
struct EventSubscription {
    feed: Feed<StateManager>,
    caller: Caller,
    /// The one task whose events it receives; `None` for all.
    task_id: Option<TaskId>,
}

impl EventSubscription {
    /// Returns whether the listener may no longer see the task: an import may have created another processor's task with its id.
    async fn may_not_see(&self, api: &Api) -> Result<bool, Error> {
        match self.task_id {
            Some(task) => self.caller.may_not_see(&api.state, task).await,
            None => Ok(false),
        }
    }
}

/// Logs a failed read of the journal. Returns how the socket closes.
fn unreadable(error: Error) -> Ended {
    tracing::warn!(%error, "the journal cannot be read for a listener");
    Ended::Because(close_code::ERROR, "the journal cannot be read")
}

/// Serves one listener until it disconnects, is given up, its token is revoked, or the service stops.
async fn serve_socket(
    socket: WebSocket,
    subscription: EventSubscription,
    caller: Caller,
    api: Arc<Api>,
) {
    let (mut sink, mut stream) = socket.split();
    let ended = tokio::select! {
        ended = send_until_shutdown(&mut sink, subscription, &api) => ended,
        ended = listen(&mut stream) => ended,
        () = caller.revoked() => Ended::Because(close_code::POLICY, "the token was revoked"),
    };
    let closing = async {
        if let Ended::Because(code, reason) = ended {
            let reason = reason.into();
            let close = Message::Close(Some(CloseFrame { code, reason }));
            let _ = sink.send(close).await;
        }
        sink.close().await
    };
    let _ = timeout(FAREWELL, closing).await;
}

/// Reads the listener's pongs, until it disconnects or breaks the protocol.
async fn listen(stream: &mut SplitStream<WebSocket>) -> Ended {
    // Pongs arrive at least as often as pings are sent; anything counts as a sign of life.
    loop {
        match patiently(stream.next()).await {
            Some(Some(Ok(Message::Close(_))) | None) => return Ended::Gone,
            Some(Some(Ok(_))) => {}
            Some(Some(Err(error))) => return protocol_error(error),
            None => return Ended::Because(close_code::POLICY, "no answer to a ping"),
        }
    }
}

/// Returns how to close the socket of a listener that broke the protocol.
fn protocol_error(error: axum::Error) -> Ended {
    let Ok(error) = error.into_inner().downcast::<SocketError>() else {
        return Ended::Gone;
    };
    match *error {
        SocketError::Capacity(_) => Ended::Because(close_code::SIZE, "the message is too long"),
        SocketError::Utf8(_) => Ended::Because(close_code::INVALID, "the text is no UTF-8"),
        SocketError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Ended::Gone,
        SocketError::Protocol(_) => {
            Ended::Because(close_code::PROTOCOL, "no valid WebSocket frame")
        }
        _ => Ended::Gone,
    }
}

type Sink = futures_util::stream::SplitSink<WebSocket, Message>;

/// Sends all events up to the shutdown, then the closing frames.
async fn send_until_shutdown(
    sink: &mut Sink,
    mut subscription: EventSubscription,
    api: &Api,
) -> Ended {
    let too_slow_to_stop = async {
        api.closing.cancelled().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        ended = send_events(sink, &mut subscription, api) => match ended {
            Ok(()) => {
                let _ = timeout(FAREWELL, send_closing_frames(sink, subscription.feed.position())).await;
                Ended::Gone
            }
            Err(ended) => ended,
        },
        () = too_slow_to_stop => Ended::Gone,
    }
}

/// Sends the message about the shutdown and the close frame.
async fn send_closing_frames(sink: &mut Sink, position: i64) -> Result<(), axum::Error> {
    let words = system_log(position, "The service is shutting down");
    let close = CloseFrame {
        code: close_code::AWAY,
        reason: "the service is shutting down".into(),
    };
    sink.feed(text(&words)).await?;
    sink.send(Message::Close(Some(close))).await
}

/// Sends events. Returns `Ok` when the service stops and the listener has received everything.
async fn send_events(
    sink: &mut Sink,
    subscription: &mut EventSubscription,
    api: &Api,
) -> Result<(), Ended> {
    let greeting = system_log(subscription.feed.position(), FIRST_FRAME_MESSAGE);
    send(sink, vec![text(&greeting)]).await?;
    let mut next_ping = Instant::now() + PING_INTERVAL;
    loop {
        tokio::select! {
            // In this order: all events are sent before the socket closes.
            biased;
            deliveries = subscription.feed.next() => {
                let deliveries = deliveries.map_err(unreadable)?;
                // After the read, so that it holds nothing that the listener may not see.
                if subscription.may_not_see(api).await.map_err(unreadable)? {
                    return Err(Ended::Because(close_code::POLICY, "the token may not see the task"));
                }
                // From here on only the texts are in memory, not the batches they came from.
                send(sink, deliveries.iter().map(message).collect()).await?;
            }
            () = api.closing.cancelled() => return Ok(()),
            () = tokio::time::sleep_until(next_ping) => {}
        }
        // Also under constant load: only the listener's pong proves that it is alive.
        if Instant::now() >= next_ping {
            send(sink, vec![Message::Ping(axum::body::Bytes::new())]).await?;
            next_ping = Instant::now() + PING_INTERVAL;
        }
    }
}

/// Why a socket closes.
enum Ended {
    /// The listener has gone, or has received the closing frames of a shutdown.
    Gone,
    /// With this close code and reason.
    Because(u16, &'static str),
}

/// Sends messages and flushes them. An error means that the listener has gone.
async fn send(sink: &mut Sink, messages: Vec<Message>) -> Result<(), Ended> {
    let write = async {
        for message in messages {
            sink.feed(message).await?;
        }
        sink.flush().await
    };
    match patiently(write).await {
        Some(Ok(())) => Ok(()),
        Some(Err(_)) | None => Err(Ended::Gone),
    }
}

/// Returns the future's value, or `None` after a minute.
///
/// The minute is counted in steps: on a busy machine the listeners' thread may not run for a while, and that time must
/// not count against a listener.
async fn patiently<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    for _ in 0..PATIENCE_STEPS {
        if let Ok(value) = timeout(PATIENCE_STEP, future.as_mut()).await {
            return Some(value);
        }
    }
    None
}

fn message(delivery: &Delivery) -> Message {
    match delivery {
        Delivery::Event(event) => text(event),
        Delivery::Missed { from, to } => {
            let data = json!({ "from": from, "to": to }).to_string();
            let mut missed = Event::new(*to, EventType::EventsMissed, Timestamp::now(), data);
            missed.message = Some(format!("Events {from} to {to} were missed"));
            text(&missed)
        }
    }
}

fn text(event: &Event) -> Message {
    Message::Text(event.frame().into())
}

/// Makes a message of the service itself, with the listener's position in the journal as its id.
fn system_log(position: i64, words: &str) -> Event {
    let data = json!({ "level": "INFO" }).to_string();
    let mut event = Event::new(position, EventType::SystemLog, Timestamp::now(), data);
    event.message = Some(words.to_owned());
    event
}
