//! The OTLP exporter: the SDK's thread hands over a request, the service's runtime sends it.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

use super::EXPORT_TIMEOUT;
use crate::tls::{self, TrustedCertificates};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a collector's answer that are read.
const ANSWER_LIMIT_BYTES: usize = 64 * 1024;

/// Sends with the HTTP client of the rest of the program. Logs once that the collector is unreachable, and
/// once that it is reachable again.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    client: reqwest::Client,
    runtime: Handle,
    is_failing: Arc<AtomicBool>,
}

impl Client {
    /// Makes a client for a collector at this address. Reads the CA certificates to trust.
    pub(crate) fn new(endpoint: &str) -> Result<Self, String> {
        let trusted = match endpoint.to_ascii_lowercase().starts_with("https") {
            true => TrustedCertificates::usual(),
            false => TrustedCertificates::none(),
        };
        let client = tls::client(trusted)
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(EXPORT_TIMEOUT)
            .user_agent(concat!("venom-core/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self {
            client: client.map_err(|error| error.without_url().to_string())?,
            runtime: Handle::current(),
            is_failing: Arc::default(),
        })
    }

    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self
            .try_send(request)
            .await
            .map_err(reqwest::Error::without_url);
        let trouble = match &sent {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers {}", answer.status())),
            Err(error) => {
                let reason = tls::reason(error, "`SSL_CERT_FILE`");
                Some(reason.unwrap_or_else(|| error.to_string()))
            }
        };
        let was_failing = self.is_failing.swap(trouble.is_some(), Ordering::Relaxed);
        match trouble {
            Some(trouble) if !was_failing => {
                tracing::warn!(trouble, "traces do not reach the collector, and are lost");
            }
            None if was_failing => tracing::info!("traces reach the collector again"),
            Some(_) | None => {}
        }
        Ok(sent?)
    }

    async fn try_send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
        let (head, body) = request.into_parts();
        let request = self.client.request(head.method, head.uri.to_string());
        let mut answer = request.headers(head.headers).body(body).send().await?;
        let mut read = Vec::new();
        while read.len() < ANSWER_LIMIT_BYTES
            && let Some(chunk) = answer.chunk().await?
        {
            read.extend_from_slice(&chunk);
        }
        let mut response = Response::new(Bytes::from(read));
        *response.status_mut() = answer.status();
        *response.headers_mut() = std::mem::take(answer.headers_mut());
        Ok(response)
    }
}

impl HttpClient for Client {
    // As `async_trait` writes it.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let sending = self.runtime.spawn(self.clone().send(request));
        Box::pin(async move { sending.await? })
    }
}
