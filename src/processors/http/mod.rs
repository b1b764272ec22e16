//! The HTTP client of the processors that call another service.
//!
//! HTTP/1.1; connections are kept for a few seconds; redirects are not followed. The client obeys `HTTP_PROXY`,
//! `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` of the environment. Requests ask for uncompressed responses.

pub(super) mod encoding;
pub(super) mod failure;
pub(super) mod reuse;
pub(super) mod secrets;
pub(super) mod server_backoff;
pub(super) mod traced;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use reqwest::{Client, RequestBuilder, Response};
use tokio::sync::OnceCell;

use self::encoding::encoding_left;
use self::failure::of_answer;
use self::reuse::{NoteConnections, ended_before_an_answer, noting_connections};
use crate::models::Timestamp;
use crate::processors::http::server_backoff::ServerBackoff;
use crate::processors::run_error::{Next, RunError};
use crate::tls::{self, TrustedCertificates};

pub(crate) use self::failure::of_transport;
pub(crate) use self::secrets::Secrets;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Shorter than the five seconds after which many servers close an idle connection, perhaps just as it is reused.
const IDLE_CONNECTION: Duration = Duration::from_secs(4);

/// The client of one processor, created for its first request, and its server's recent holds.
pub(crate) struct Http {
    is_secure: bool,
    ca_file: Option<PathBuf>,
    client: OnceCell<Client>,
    /// A client without connection reuse.
    unpooled: OnceCell<Client>,
    holds: Mutex<ServerBackoff>,
}

impl Http {
    /// Creates a client for requests to `url`, which trusts the CA certificates in `ca_file` besides the usual ones.
    pub(crate) fn new(url: &str, ca_file: Option<PathBuf>) -> Self {
        Self {
            is_secure: url.to_ascii_lowercase().starts_with("https"),
            ca_file,
            client: OnceCell::new(),
            unpooled: OnceCell::new(),
            holds: Mutex::default(),
        }
    }

    /// Returns the client.
    ///
    /// # Errors
    /// If the CA certificates cannot be read; the next call tries again.
    pub(crate) async fn client(&self) -> Result<&Client, RunError> {
        let client = || self.connect(usize::MAX);
        self.client.get_or_try_init(client).await
    }

    /// Sends a request of the [`client`](Self::client). If a reused connection ends before the response begins, sends
    /// it once more on a connection of its own.
    ///
    /// # Errors
    /// If there is no response.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, reqwest::Error> {
        let (client, request) = request.build_split();
        let request = request?;
        let copy = request.try_clone();
        let (answer, opened_one) = noting_connections(client.execute(request)).await;
        match (answer, copy) {
            (Err(error), Some(copy)) if !opened_one && ended_before_an_answer(&error) => {
                tracing::debug!(%error, "a kept connection was closed; sending the request again");
                let unpooled = self.unpooled.get_or_try_init(|| self.connect(0)).await;
                match unpooled {
                    Ok(client) => client.execute(copy).await,
                    Err(_) => Err(error),
                }
            }
            (answer, _) => answer,
        }
    }

    /// Returns a successful response whose body can be read.
    ///
    /// # Errors
    /// If the response is a failure. A hold is longer than the one before, unless there was a success between them.
    pub(crate) async fn success(
        &self,
        response: Response,
        secrets: &Secrets,
    ) -> Result<Response, RunError> {
        if response.status().is_success() {
            self.holds().end();
            return match encoding_left(response.headers()) {
                None => Ok(response),
                Some(encoding) => Err(compressed(&encoding)),
            };
        }
        let mut error = of_answer(response, secrets).await;
        if let Next::Hold(until) = &mut error.next {
            *until = self.holds().hold(Timestamp::now(), *until);
        }
        Err(error)
    }

    fn holds(&self) -> MutexGuard<'_, ServerBackoff> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self, kept_connections: usize) -> Result<Client, RunError> {
        let plainly = HeaderValue::from_static("identity");
        let client = tls::client(self.trusted().await?)
            .default_headers(HeaderMap::from_iter([(ACCEPT_ENCODING, plainly)]))
            .connector_layer(NoteConnections)
            .pool_max_idle_per_host(kept_connections)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE_CONNECTION)
            .user_agent(concat!("venom-core/", env!("CARGO_PKG_VERSION")))
            .build();
        client.map_err(of_transport)
    }

    async fn trusted(&self) -> Result<TrustedCertificates, RunError> {
        if !self.is_secure {
            return Ok(TrustedCertificates::none());
        }
        let ca_file = self.ca_file.clone();
        let read = tokio::task::spawn_blocking(move || read_trusted(ca_file.as_deref()));
        let read = read.await.map_err(|error| error.to_string()).flatten();
        read.map_err(|message| RunError::with(message, Next::GiveUp))
    }
}

/// Returns the error of a success whose body cannot be decoded. The other side has done its work, and would answer
/// another attempt in the same way.
pub(crate) fn compressed(encoding: &str) -> RunError {
    let message = format!(
        "the response is compressed as `{encoding}`, although the request asked for no compression; \
         configure the server to send it plain, or as gzip or deflate"
    );
    RunError::with(message, Next::GiveUp)
}

fn read_trusted(ca_file: Option<&Path>) -> Result<TrustedCertificates, String> {
    let mut trusted = TrustedCertificates::usual();
    if let Some(path) = ca_file {
        trusted.add_file(path).map_err(|reason| {
            let path = path.display();
            format!("cannot read the certificates in the ca_file `{path}`: {reason}")
        })?;
    }
    Ok(trusted)
}
