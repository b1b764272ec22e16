//! Follows one task to its final status, also across restarts of the service.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tokio::time::timeout;

use super::backoff::ReconnectBackoff;
use super::http::ServiceClient;
use super::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::print::say;
use crate::models::json::parse;

/// A stream that is silent for longer is dead: the service sends a heartbeat every 15 seconds.
const SILENCE: Duration = Duration::from_secs(60);

/// A command that shows a task's progress while [`until_final`] follows it.
pub(crate) trait TaskObserver {
    /// Returns the id of the newest event that was shown; the stream begins after it.
    fn last_event_id(&self) -> i64;

    /// Returns true if unfinished log lines (progress bars) are shown too.
    fn shows_live_lines(&self) -> bool {
        false
    }

    /// Shows the present text of an unfinished log line.
    fn show_live_line(&mut self, _: &Value) -> Result<(), Error> {
        Ok(())
    }

    /// Fetches and shows what has happened since the last call.
    async fn refresh(&mut self, client: &ServiceClient) -> Result<(), Error>;
}

/// Shows nothing; for commands that need only the finished task.
pub(crate) struct NoProgress;

impl TaskObserver for NoProgress {
    fn last_event_id(&self) -> i64 {
        0
    }

    async fn refresh(&mut self, _: &ServiceClient) -> Result<(), Error> {
        Ok(())
    }
}

/// Follows the task until its status is final and returns the task. The observer has then shown all of it.
pub(crate) async fn until_final(
    mut client: ServiceClient,
    target: &ServiceTarget,
    id: &str,
    observer: &mut impl TaskObserver,
) -> Result<Value, Error> {
    let mut backoff = ReconnectBackoff::new();
    let mut is_lost = false;
    loop {
        match stream_once(&client, id, observer).await {
            Ok(task) if is_final(&task) => return Ok(task),
            Ok(_) => {
                is_lost = false;
                backoff = ReconnectBackoff::new();
            }
            Err(Error::Unreachable(reason)) => {
                if !is_lost {
                    say(format_args!("{reason}; the task is stored, reconnecting"));
                }
                is_lost = true;
                client = target.client_again(client);
            }
            Err(error) => return Err(error),
        }
        backoff.wait().await;
    }
}

/// Reads one event stream to its end, then fetches and returns the task.
async fn stream_once(
    client: &ServiceClient,
    id: &str,
    observer: &mut impl TaskObserver,
) -> Result<Value, Error> {
    let request = client.request(Method::GET, &format!("/api/v1/tasks/{id}/stream"));
    let seen = observer.last_event_id().to_string();
    let stream = client.send(request.header("last-event-id", seen)).await?;
    let mut chunks = stream.bytes_stream();
    let mut live_lines = LiveLines::default();
    while let Ok(Some(Ok(chunk))) = timeout(SILENCE, chunks.next()).await {
        if !observer.shows_live_lines() {
            observer.refresh(client).await?;
            continue;
        }
        let (last, has_more) = live_lines.read(&chunk);
        if has_more {
            observer.refresh(client).await?;
        }
        if let Some(line) = last {
            observer.show_live_line(&line)?;
        }
    }
    // The stream may end for any reason; only the task's status says whether more will come. Its log is
    // complete up to that status.
    let task = client.get(&format!("/api/v1/tasks/{id}")).await?;
    observer.refresh(client).await?;
    Ok(task)
}

/// Finds unfinished log lines in a stream of server-sent events.
#[derive(Default)]
struct LiveLines {
    /// Bytes of an event that has not arrived completely.
    buffer: Vec<u8>,
}

impl LiveLines {
    /// Reads a chunk. Returns the last live line of the events that it completes, and whether it completes
    /// events of other types.
    fn read(&mut self, chunk: &[u8]) -> (Option<Value>, bool) {
        const LIMIT_BYTES: usize = 1 << 20;
        self.buffer.extend_from_slice(chunk);
        let (mut last, mut has_more) = (None, false);
        while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.buffer.drain(..end + 2).collect();
            match live_line(&event) {
                Some(line) => last = Some(line),
                None => has_more = true,
            }
        }
        if self.buffer.len() > LIMIT_BYTES {
            // Other events only trigger a refresh, so their content can be dropped.
            self.buffer.clear();
            has_more = true;
        }
        (last, has_more)
    }
}

fn live_line(event: &[u8]) -> Option<Value> {
    let event = str::from_utf8(event).ok()?;
    let is_one = |line: &str| line.strip_prefix("event:").map(str::trim) == Some("task_live_line");
    if !event.lines().any(is_one) {
        return None;
    }
    let data = event.lines().find_map(|line| line.strip_prefix("data:"))?;
    parse(data.as_bytes()).ok()
}

fn is_final(task: &Value) -> bool {
    matches!(task["status"].as_str(), Some("COMPLETED" | "FAILED"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn live_lines_are_found_among_events_in_any_pieces() {
        let stream = "event: task_update\nid: 1\ndata: {}\n\nevent: task_live_line\n\
                      data: {\"line\":\"10%\"}\n\nevent: task_live_line\ndata: {\"line\":\"20%\"}\n\n";
        let (last, has_more) = LiveLines::default().read(stream.as_bytes());
        assert_eq!(last.map(|line| line["line"].clone()), Some("20%".into()));
        assert!(has_more);
        let mut live_lines = LiveLines::default();
        let pieces = stream.as_bytes().chunks(7);
        let found: Vec<_> = pieces
            .filter_map(|piece| live_lines.read(piece).0)
            .collect();
        assert_eq!(found.len(), 2);
    }
}
