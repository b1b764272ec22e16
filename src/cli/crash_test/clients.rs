//! The clients of one round: they submit tasks until the service is killed.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::submissions::Submissions;
use crate::cli::client::http::ServiceClient;
use crate::cli::error::Error;

/// Time within which the service has to accept the first task of a round.
const PATIENCE: Duration = Duration::from_secs(30);
/// Time between two attempts of a client that was rejected.
const PAUSE: Duration = Duration::from_millis(10);

/// The running clients, each on its own connection.
pub(crate) struct LoadClients {
    clients: JoinSet<()>,
    acknowledged: watch::Receiver<bool>,
}

impl LoadClients {
    /// Starts the clients.
    pub(crate) fn start(
        url: &Url,
        submissions: &Submissions,
        round: u32,
        clients: u16,
    ) -> Result<Self, Error> {
        let (first, acknowledged) = watch::channel(false);
        let mut running = JoinSet::new();
        for number in 1..=clients {
            let name = format!("round {round}, client {number}");
            running.spawn(submit(
                ServiceClient::new(url, None, None)?,
                name,
                submissions.clone(),
                first.clone(),
            ));
        }
        Ok(Self {
            clients: running,
            acknowledged,
        })
    }

    /// Waits for the first 201, or for the end of all clients.
    ///
    /// # Errors
    /// If the service accepts nothing, as on a full disk.
    pub(crate) async fn first_acknowledgement(&mut self) -> Result<(), Error> {
        let first = self.acknowledged.wait_for(|first| *first);
        match timeout(PATIENCE, first).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                let message = format!("the service accepted no task within {seconds} s");
                Err(Error::Failed(message))
            }
        }
    }

    /// Waits until every client has lost its connection.
    pub(crate) async fn finished(mut self) {
        while self.clients.join_next().await.is_some() {}
    }
}

async fn submit(
    client: ServiceClient,
    name: String,
    submissions: Submissions,
    first: watch::Sender<bool>,
) {
    for number in 1.. {
        let content = format!("{name}, task {number}");
        let request = client.request(Method::POST, "/api/v1/tasks");
        submissions.sent(&content);
        let Ok(answer) = request.json(&json!({ "content": content })).send().await else {
            return;
        };
        if answer.status() != StatusCode::CREATED {
            submissions.rejected(&content);
            sleep(PAUSE).await;
            continue;
        }
        // A 201 with an incomplete body names no task, so it counts as unanswered.
        let Ok(created) = answer.json::<Value>().await else {
            return;
        };
        submissions.acknowledged(&content, created["task_id"].as_str().unwrap_or_default());
        first.send_replace(true);
    }
}
