//! Following a task to its end, also through restarts of the service.

use std::time::Duration;

use futures_util::StreamExt;
use reqwest::Method;
use serde_json::Value;
use tokio::time::timeout;

use super::backoff::Backoff;
use super::client::Client;
use super::error::Error;
use super::output::say;
use super::target::Target;

/// The service sends a heartbeat every 15 seconds; a stream that is silent for longer is dead.
const SILENCE: Duration = Duration::from_secs(60);

/// Somebody who wants to know when something happens to a task.
pub(super) trait Follower {
    /// The newest event that is known already; the stream begins after it.
    fn seen(&self) -> i64;

    /// Something may have happened.
    async fn look(&mut self, client: &Client) -> Result<(), Error>;
}

/// Waits for the end alone.
pub(super) struct Patient;

impl Follower for Patient {
    fn seen(&self) -> i64 {
        0
    }

    async fn look(&mut self, _: &Client) -> Result<(), Error> {
        Ok(())
    }
}

/// Follows the task until it is final; the task. The follower has then looked at all of it.
pub(super) async fn until_final(
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
    while let Ok(Some(Ok(_))) = timeout(SILENCE, chunks.next()).await {
        follower.look(client).await?;
    }
    // However the stream ends, the task itself says whether there is more to come. What led to this
    // is in its log by now.
    let task = client.get(&format!("/api/v1/tasks/{id}")).await?;
    follower.look(client).await?;
    Ok(task)
}

fn is_final(task: &Value) -> bool {
    matches!(task["status"].as_str(), Some("COMPLETED" | "FAILED"))
}
