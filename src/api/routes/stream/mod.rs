//! `GET /api/v1/tasks/{id}/stream`: one task, as server-sent events, until it is finished.
//!
//! A `task_update` carries the log lines since the last one, a `task_output` the text by which a streamed answer has grown;
//! both follow the order of the journal. While the task runs, `result` is the answer so far. The id of an event is the
//! newest journal row that it covers, so that `Last-Event-ID` resumes there. No event is longer than 1 MiB: more lines
//! become several events, and a single text that is too long is truncated (`truncated`). The last update of a finished task
//! has the id of the row before the last, so that a client that loses the connection after it receives the end again.

mod growing;
mod sse;
mod updates;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep_until};

use crate::api::auth::caller::Caller;
use crate::api::context::{Api, Shared};
use crate::api::error::{ApiError, Problem};
use crate::api::input::task_id::TaskIdPath;
use crate::api::openapi::parameters;
use crate::api::routes::stream::growing::Growing;
use crate::api::routes::stream::sse::Sse;
use crate::api::routes::stream::updates::{UpdateContent, group_rows};
use crate::events::{Delivery, Feed, Filter};
use crate::models::{EVENT_LIMIT_BYTES, Event, EventType, TaskId, TaskStatus, Timestamp, fit};
use crate::state::{Error, LogEntry, StateManager};

/// Journal rows in one update.
const LINES: u32 = 1000;
/// Largest size of an event's data, without its name and id.
const DATA_LIMIT_BYTES: usize = EVENT_LIMIT_BYTES - 1024;
/// Time between heartbeats of an idle stream.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Follow one task until it has finished.
///
/// Server-sent events: `task_update` (`task_id`, `status`, `logs` since the last one, `result`, `timestamp`; while the task
/// runs, `result` is the answer so far, up to 256 KiB), `task_output` (`text` by which the answer has grown),
/// `task_live_line` (`line`, the present text of an unfinished line), `heartbeat`, and last `task_finished`, or
/// `task_missing` if the task is deleted meanwhile. An event has at most 1 MiB: longer texts are truncated, and `truncated`
/// holds the number of characters of each.
#[utoipa::path(
    get, path = "/api/v1/tasks/{task_id}/stream", tag = "Events", operation_id = "stream_task",
    params(parameters::TaskIdParameter, parameters::LastEventIdParameter),
    responses(
        (status = 204, description = "The task has finished, and the client has received everything, by its `Last-Event-ID`"),
        (status = 200, description = "Events", body = Value, content_type = "text/event-stream",
        example = "event:task_finished\nid:7\ndata:{\"status\":\"COMPLETED\"}\n\n")),
)]
pub(crate) async fn stream(
    State(api): Shared,
    caller: Caller,
    TaskIdPath(task_id): TaskIdPath,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let since = last_event_id(&headers)?;
    let filter = Filter {
        types: None,
        task_id: Some(task_id),
    };
    // The feed begins before the first read, so that no event falls between them.
    let feed = Feed::new(api.state.bus(), api.state.clone(), filter, None);
    let Some((status, _)) = api.state.task_state(task_id).await? else {
        return Err(ApiError::NotFound("Task not found"));
    };
    // `EventSource` reconnects after the end of a stream, until it receives a 204.
    if status.is_final() && since > 0 {
        let more = api.state.task_rows_after(task_id, since, 1).await?;
        if more.is_empty() {
            return Ok(StatusCode::NO_CONTENT.into_response());
        }
    }
    let follower = Follower {
        api,
        caller: caller.clone(),
        task_id,
        feed,
        seen: since,
        growing: Growing::new(),
        unsent: VecDeque::new(),
        next: Next::Read,
        heartbeat: Instant::now() + HEARTBEAT,
    };
    let events = stream::unfold(
        follower,
        |follower| async move { follower.next_event().await },
    );
    let events = events.take_until(async move { caller.revoked().await });
    Ok(Sse::new(events).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Result<i64, ApiError> {
    let Some(value) = headers.get("last-event-id") else {
        return Ok(0);
    };
    let text = value.to_str().unwrap_or_default();
    text.parse().map_err(|_| {
        let msg = "Input should be an event id, a whole number";
        Problem::new(
            "int_parsing",
            &["header", "Last-Event-ID"],
            msg,
            json!(text),
        )
        .into()
    })
}

/// One client that follows one task.
struct Follower {
    api: Arc<Api>,
    caller: Caller,
    task_id: TaskId,
    feed: Feed<StateManager>,
    /// The newest journal row that the client has received.
    seen: i64,
    /// The result of a task that still runs.
    growing: Growing,
    /// Events that the last read produced.
    unsent: VecDeque<sse::Event>,
    next: Next,
    heartbeat: Instant,
}

/// What the stream does next.
enum Next {
    /// Read the task and send its changes.
    Read,
    /// Wait until the task changes.
    Wait,
    /// Send the end of the task.
    Finish(TaskStatus, Option<String>),
    End,
}

impl Follower {
    async fn next_event(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if let Some(event) = self.unsent.pop_front() {
                return Some((Ok(event), self));
            }
            match std::mem::replace(&mut self.next, Next::Wait) {
                Next::Read => {
                    if let Err(error) = self.read_changes().await {
                        tracing::warn!(%error, task_id = %self.task_id, "a stream ends early");
                        return None;
                    }
                }
                Next::Wait => {
                    if let Some(event) = self.wait().await {
                        return Some((Ok(event), self));
                    }
                }
                Next::Finish(status, result) => {
                    self.next = Next::End;
                    let event = self.event("task_finished", status, result, Vec::new());
                    return Some((Ok(event), self));
                }
                Next::End => return None,
            }
        }
    }

    /// Reads the task and its new rows, and queues their events.
    async fn read_changes(&mut self) -> Result<(), Error> {
        // Read the state first, so that the lines read after it include all that led to it.
        let state = &self.api.state;
        // Before both: rows that are not published yet may not be durable. Their events say when to read again.
        let published = state.bus().head();
        let Some((mut status, mut result)) = state.task_state(self.task_id).await? else {
            self.next = Next::End;
            self.unsent.push_back(self.missing());
            return Ok(());
        };
        let mut rows = state
            .task_rows_after(self.task_id, self.seen, LINES)
            .await?;
        let is_full = rows.len() >= LINES as usize;
        if rows.last().is_some_and(|(id, _)| *id > published) {
            rows.retain(|(id, _)| *id <= published);
            if status.is_final() {
                (status, result) = (TaskStatus::Processing, None);
            }
        }
        // After the read: an import may have created another processor's task with this id.
        if self.caller.may_not_see(state, self.task_id).await? {
            self.next = Next::End;
            self.unsent.push_back(self.missing());
            return Ok(());
        }
        let is_running = status == TaskStatus::Processing;
        let more = is_full && rows.len() >= LINES as usize;
        if more {
            self.next = Next::Read;
        } else if status.is_final() {
            self.next = Next::Finish(status, result.clone());
        }
        let is_output = |(_, entry): &(i64, LogEntry)| matches!(entry, LogEntry::Output(_));
        if let Some((newest, _)) = rows.last()
            && (!self.growing.is_empty() || rows.iter().any(is_output))
        {
            self.growing.read(state, self.task_id, *newest).await?;
        }
        // Only `task_finished` carries the id of the last row: a client with that id has the end, and gets 204.
        let last = rows
            .last()
            .map(|(id, _)| *id)
            .filter(|_| !more && status.is_final());
        let before_last = rows.len().checked_sub(2).map_or(self.seen, |at| rows[at].0);
        for update in group_rows(rows) {
            self.seen = match last == Some(update.last_row) {
                true => before_last,
                false => update.last_row,
            };
            let event = match update.content {
                UpdateContent::Lines(lines) => {
                    let grown = || self.growing.show_along().filter(|_| is_running);
                    let result = result.clone().or_else(grown);
                    self.event("task_update", status, result, lines)
                }
                UpdateContent::Output(text) => self.output(&text),
            };
            self.unsent.push_back(event);
        }
        self.seen = last.unwrap_or(self.seen);
        if !is_running {
            self.growing.suspend();
        } else if let Some(text) = self.growing.take_due() {
            let event = self.event("task_update", status, Some(text), Vec::new());
            self.unsent.push_back(event);
        }
        Ok(())
    }

    /// Waits for an event of the task, for the time to show a longer answer, or for the next heartbeat.
    async fn wait(&mut self) -> Option<sse::Event> {
        let shown_at = self.growing.next_at();
        tokio::select! {
            () = self.api.closing.cancelled() => self.next = Next::End,
            deliveries = self.feed.next() => {
                if let Ok([Delivery::Event(event)]) = deliveries.as_deref()
                    && event.kind == EventType::TaskLiveLine
                {
                    // The last read may have replaced the live line.
                    return (event.id >= self.seen).then(|| self.live_line(event));
                }
                self.next = Next::Read;
            }
            () = sleep_until(shown_at.unwrap_or(self.heartbeat)), if shown_at.is_some() => {
                self.next = Next::Read;
            }
            () = sleep_until(self.heartbeat) => return Some(self.beat().await),
        }
        None
    }

    /// Returns a heartbeat, or the end of the stream if another program has deleted the task.
    async fn beat(&mut self) -> sse::Event {
        self.heartbeat = Instant::now() + HEARTBEAT;
        if let Ok(None) = self.api.state.task_state(self.task_id).await {
            self.next = Next::End;
            return self.missing();
        }
        let data = json!({ "task_id": self.task_id, "timestamp": Timestamp::now() });
        sse::Event::default()
            .event("heartbeat")
            .data(data.to_string())
    }

    fn missing(&self) -> sse::Event {
        let data = json!({ "task_id": self.task_id, "timestamp": Timestamp::now() });
        sse::Event::default()
            .event("task_missing")
            .data(data.to_string())
    }

    fn output(&self, text: &str) -> sse::Event {
        let data = json!({
            "task_id": self.task_id,
            "text": text,
            "timestamp": Timestamp::now(),
        });
        sse::Event::default()
            .event("task_output")
            .id(self.seen.to_string())
            .data(within_limit(data))
    }

    /// Makes the event for the text of an unfinished line. It has no id, because a client that reconnects receives the next one.
    fn live_line(&self, event: &Event) -> sse::Event {
        let mut data = json!({
            "task_id": self.task_id,
            "line": event.message,
            "timestamp": event.at,
        });
        let more: Option<Value> = serde_json::from_str(&event.data).ok();
        if let Some(ansi) = more.and_then(|more| more.get("ansi").cloned()) {
            data["ansi"] = ansi;
        }
        sse::Event::default()
            .event("task_live_line")
            .data(within_limit(data))
    }

    fn event(
        &self,
        name: &str,
        status: TaskStatus,
        result: Option<String>,
        logs: Vec<String>,
    ) -> sse::Event {
        let data = json!({
            "task_id": self.task_id,
            "status": status,
            "logs": logs,
            "result": result,
            "timestamp": Timestamp::now(),
        });
        sse::Event::default()
            .event(name)
            .id(self.seen.to_string())
            .data(within_limit(data))
    }
}

/// Returns an event's data, truncated to the limit.
fn within_limit(data: Value) -> String {
    let text = data.to_string();
    match data {
        Value::Object(data) if text.len() > DATA_LIMIT_BYTES => {
            fit(data, Map::new(), DATA_LIMIT_BYTES)
        }
        _ => text,
    }
}
