//! The socket on which a service tells its events.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::error_body;
use super::http;
use super::http::{Client, Stream};
use crate::cli::error::Error;

/// The service sends a ping every 20 seconds; a socket that is silent for longer is dead.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// How long a service may take to become a WebSocket.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest event, by far.
const FRAME_LIMIT_BYTES: usize = 64 << 20;

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Listens to the service's events; `query` says to which, and from where on.
pub(crate) async fn connect(client: &Client, query: &str) -> Result<Socket, Error> {
    // "http://…" becomes "ws://…"; nothing else gets this far.
    let rest = client.url().strip_prefix("http").unwrap_or(client.url());
    let mark = if query.is_empty() { "" } else { "?" };
    let address = format!("ws{rest}/ws/events{mark}{query}");
    let config = WebSocketConfig::default().max_frame_size(Some(FRAME_LIMIT_BYTES));
    let mut request = address
        .into_client_request()
        .map_err(|error| Error::Failed(format!("cannot watch {}: {error}", client.url())))?;
    if let Some(token) = client.authorization() {
        request.headers_mut().insert(AUTHORIZATION, token);
    }
    let connecting = async {
        let stream = client.connect().await?;
        client_async_with_config(request, stream, Some(config)).await
    };
    let slow = || Error::Unreachable(format!("{} takes too long to answer", client.url()));
    match timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(SocketError::Io(error))) => Err(http::no_service(client.url(), &error)),
        Ok(Err(SocketError::Http(answer))) if answer.status().is_redirection() => {
            Err(client.redirected(answer.status(), answer.headers()))
        }
        Ok(Err(SocketError::Http(answer))) => {
            let reason = answer.body().as_deref().and_then(error_body::reason_in);
            let words = reason.unwrap_or_else(|| {
                let (url, status) = (client.url(), answer.status());
                format!("{url} answers {status} and has no events to tell")
            });
            let status = answer.status();
            Err(match status.is_server_error() || http::passes(status) {
                true => Error::Unreachable(words),
                false => Error::Failed(words),
            })
        }
        Ok(Err(error)) => {
            let url = client.url();
            Err(Error::Unreachable(format!("cannot watch {url}: {error}")))
        }
        Err(_) => Err(slow()),
    }
}
