//! The ear: hears the service's events, and connects again when the service was away.

use futures_util::StreamExt;
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::poll::News;
use crate::cli::client::backoff::Backoff;
use crate::cli::client::event_socket;
use crate::cli::client::event_socket::{SILENCE, Socket};
use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::output::event_line::{Frame, line};

/// Events of before that are shown at the beginning.
const EARLIER: i64 = 30;

/// Tells of events as long as somebody wants to know. Whoever may not hear them hears nothing.
pub(crate) async fn hear(mut client: Client, target: Target, news: Sender<News>) {
    let mut since = None;
    let mut backoff = Backoff::new();
    while !news.is_closed() {
        let query = since.map(|id: i64| format!("since={id}"));
        if let Ok(mut socket) = event_socket::connect(&client, &query.unwrap_or_default()).await {
            backoff = Backoff::new();
            let is_first = since.is_none();
            listen(&mut socket, &mut since, &news).await;
            if is_first && since.is_some() {
                continue;
            }
        }
        backoff.wait().await;
        client = target.client_again(client);
    }
}

/// Listens until the connection is over. The first time it only learns where the journal ends.
async fn listen(socket: &mut Socket, since: &mut Option<i64>, news: &Sender<News>) {
    let mut is_greeting = true;
    while let Ok(Some(Ok(message))) = timeout(SILENCE, socket.next()).await {
        let Message::Text(text) = message else {
            continue;
        };
        let Ok(frame) = serde_json::from_str::<Frame>(&text) else {
            return;
        };
        let Some(last) = since else {
            *since = Some(frame.id.saturating_sub(EARLIER).max(0));
            return;
        };
        if !frame.is_system_log() {
            *last = frame.id.max(*last);
        }
        // The list of events is of what has happened.
        if !is_greeting
            && !frame.is_live_line()
            && news.send(News::Event(line(&frame))).await.is_err()
        {
            return;
        }
        is_greeting = false;
    }
}
