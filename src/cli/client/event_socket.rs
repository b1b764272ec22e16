//! The WebSocket on which a service sends its events.

use std::time::Duration;

use reqwest::header::AUTHORIZATION;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Error as SocketError;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::error_body;
use super::http;
use super::http::{ByteStream, ServiceClient};
use crate::cli::error::Error;

/// A socket that is silent for longer is dead: the service sends a ping every 20 seconds.
pub(crate) const SILENCE: Duration = Duration::from_secs(60);
/// Time within which the service has to accept the WebSocket.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Far above the size of the largest event.
const FRAME_LIMIT_BYTES: usize = 64 << 20;

pub(crate) type Socket = WebSocketStream<Box<dyn ByteStream>>;

/// Connects to the service's event stream. `query` selects the events and the first one to send.
pub(crate) async fn connect(client: &ServiceClient, query: &str) -> Result<Socket, Error> {
    // "http://…" becomes "ws://…"; other schemes were rejected before.
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
    let slow = || Error::Unreachable(format!("{} did not answer in time", client.url()));
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
                format!("{url} answered {status} instead of opening an event stream")
            });
            let status = answer.status();
            Err(
                match status.is_server_error() || http::is_temporary(status) {
                    true => Error::Unreachable(words),
                    false => Error::Failed(words),
                },
            )
        }
        Ok(Err(error)) => {
            let url = client.url();
            Err(Error::Unreachable(format!("cannot watch {url}: {error}")))
        }
        Err(_) => Err(slow()),
    }
}
