//! Following a task to its end, also through restarts of the service.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::http::Client;
use super::target::Target;
use crate::cli::error::Error;
use crate::cli::output::print::say;
use crate::models::json::parse;

/// The service sends a heartbeat every 15 seconds; a stream that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Somebody who wants to know when something happens to a task.
pub(crate) trait Follower {
    /// The newest event that is known already; the stream begins after it.
    fn seen(&self) -> i64;

    /// Whether it shows how lines stand that have not ended.
    fn shows_live_lines(&self) -> bool {
        false
    }

    /// A line that has not ended stands so.
    fn show_live_line(&mut self, _: &Value) -> Result<(), Error> {
        Ok(())
    }

    /// Something may have happened.
    async fn look(&mut self, client: &Client) -> Result<(), Error>;
}

/// Waits for the end alone.
pub(crate) struct Patient;

impl Follower for Patient {
    fn seen(&self) -> i64 {
        0
    }

    async fn look(&mut self, _: &Client) -> Result<(), Error> {
        Ok(())
    }
}

/// Follows the task until it is final; the task. The follower has then looked at all of it.
pub(crate) async fn until_final(
    mut client: Client,
    target: &Target,
    id: &str,
    follower: &mut impl Follower,
) -> Result<Value, Error> {
    let mut backoff = Backoff::new();
    let mut is_lost = false;
    loop {
        match stream_once(&client, id, follower).await {
            Ok(task) if is_final(&task) => return Ok(task),
            Ok(_) => {
                is_lost = false;
                backoff = Backoff::new();
            }
            Err(Error::Unreachable(reason)) => {
                if !is_lost {
                    say(format_args!(
                        "{reason}; waiting for it, since the task is safe"
                    ));
                }
                is_lost = true;
                client = target.client_again(client);
            }
            Err(error) => return Err(error),
        }
        backoff.wait().await;
    }
}

/// The task, when it is final or the service has stopped telling about it.
async fn stream_once(
    client: &Client,
    id: &str,
    follower: &mut impl Follower,
) -> Result<Value, Error> {
    let request = client.request(Method::GET, &format!("/api/v1/tasks/{id}/stream"));
    let seen = follower.seen().to_string();
    let stream = client.send(request.header("last-event-id", seen)).await?;
    let mut chunks = stream.bytes_stream();
    let mut live_lines = LiveLines::default();
    while let Ok(Some(Ok(chunk))) = timeout(SILENCE, chunks.next()).await {
        if !follower.shows_live_lines() {
            follower.look(client).await?;
            continue;
        }
        let (last, has_more) = live_lines.read(&chunk);
        if has_more {
            follower.look(client).await?;
        }
        if let Some(line) = last {
            follower.show_live_line(&line)?;
        }
    }
    // However the stream ends, the task itself says whether there is more to come. What led to this
    // is in its log by now.
    let task = client.get(&format!("/api/v1/tasks/{id}")).await?;
    follower.look(client).await?;
    Ok(task)
}

/// Finds live lines in a stream of server-sent events.
#[derive(Default)]
struct LiveLines {
    /// What has come of an event that is not whole.
    begun: Vec<u8>,
}

impl LiveLines {
    /// The last live line of the events that a chunk ends, and whether it ends others.
    fn read(&mut self, chunk: &[u8]) -> (Option<Value>, bool) {
        const LIMIT_BYTES: usize = 1 << 20;
        self.begun.extend_from_slice(chunk);
        let (mut last, mut has_more) = (None, false);
        while let Some(end) = self.begun.windows(2).position(|two| two == b"\n\n") {
            let event: Vec<u8> = self.begun.drain(..end + 2).collect();
            match live_line(&event) {
                Some(line) => last = Some(line),
                None => has_more = true,
            }
        }
        if self.begun.len() > LIMIT_BYTES {
            // Others are looked at by their rows, so nothing of them is needed.
            self.begun.clear();
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
