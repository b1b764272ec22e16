//! Clients that submit until the service is gone.

use std::time::Duration;

use reqwest::{Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::submissions::Ledger;
use crate::cli::client::http::Client;
use crate::cli::error::Error;

/// How long a service may take to accept the first task of a round.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two tries of a client that was refused.
const PAUSE: Duration = Duration::from_millis(10);

/// The clients of one round, each on a connection of its own.
pub(crate) struct Load {
    clients: JoinSet<()>,
    acknowledged: watch::Receiver<bool>,
}

impl Load {
    pub(crate) fn start(
        url: &Url,
        ledger: &Ledger,
        round: u32,
        clients: u16,
    ) -> Result<Self, Error> {
        let (first, acknowledged) = watch::channel(false);
        let mut running = JoinSet::new();
        for number in 1..=clients {
            let name = format!("round {round}, client {number}");
            running.spawn(submit(
                Client::new(url, None, None)?,
                name,
                ledger.clone(),
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
    /// When the service accepts nothing, as on a full disk.
    pub(crate) async fn first_acknowledgement(&mut self) -> Result<(), Error> {
        let first = self.acknowledged.wait_for(|first| *first);
        match timeout(PATIENCE, first).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let seconds = PATIENCE.as_secs();
                let message = format!("the service has accepted no task within {seconds} s");
                Err(Error::Failed(message))
            }
        }
    }

    /// Waits until every client has noticed that the service is gone.
    pub(crate) async fn ends(mut self) {
        while self.clients.join_next().await.is_some() {}
    }
}

async fn submit(client: Client, name: String, ledger: Ledger, first: watch::Sender<bool>) {
    for number in 1.. {
        let content = format!("{name}, task {number}");
        let request = client.request(Method::POST, "/api/v1/tasks");
        ledger.sent(&content);
        let Ok(answer) = request.json(&json!({ "content": content })).send().await else {
            return;
        };
        if answer.status() != StatusCode::CREATED {
            ledger.refused(&content);
            sleep(PAUSE).await;
            continue;
        }
        // A 201 whose body does not arrive whole names no task: it counts as no answer.
        let Ok(created) = answer.json::<Value>().await else {
            return;
        };
        ledger.acknowledged(&content, created["task_id"].as_str().unwrap_or_default());
        first.send_replace(true);
    }
}
