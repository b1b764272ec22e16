//! Reads the service's events for the dashboard, and reconnects after a lost connection.

use futures_util::StreamExt;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::poll::DashboardUpdate;
use crate::cli::client::backoff::ReconnectBackoff;
use crate::cli::client::event_socket;
use crate::cli::client::event_socket::{SILENCE, Socket};
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::output::event_line::{EventFrame, plain_line};

/// Earlier events that are shown at the start.
const EARLIER: i64 = 30;

/// Sends events to the dashboard until it is gone. A token that may not read events gets none.
pub(crate) async fn run(
    mut client: ServiceClient,
    target: ServiceTarget,
    updates: Sender<DashboardUpdate>,
) {
    let mut since = None;
    let mut backoff = ReconnectBackoff::new();
    while !updates.is_closed() {
        let query = since.map(|id: i64| format!("since={id}"));
        if let Ok(mut socket) = event_socket::connect(&client, &query.unwrap_or_default()).await {
            backoff = ReconnectBackoff::new();
            let is_first = since.is_none();
            listen(&mut socket, &mut since, &updates).await;
            if is_first && since.is_some() {
                continue;
            }
        }
        backoff.wait().await;
        client = target.client_again(client);
    }
}

/// Reads events until the connection ends. The first connection only learns the newest id of the journal.
async fn listen(socket: &mut Socket, since: &mut Option<i64>, updates: &Sender<DashboardUpdate>) {
    let mut is_greeting = true;
    while let Ok(Some(Ok(message))) = timeout(SILENCE, socket.next()).await {
        let Message::Text(text) = message else {
            continue;
        };
        let Ok(event) = serde_json::from_str::<EventFrame>(&text) else {
            return;
        };
        let Some(last) = since else {
            *since = Some(event.id.saturating_sub(EARLIER).max(0));
            return;
        };
        if !event.is_system_log() {
            *last = event.id.max(*last);
        }
        // Unfinished lines are not listed as events.
        if !is_greeting
            && !event.is_live_line()
            && updates
                .send(DashboardUpdate::Event(plain_line(&event)))
                .await
                .is_err()
        {
            return;
        }
        is_greeting = false;
    }
}
