//! The HTTP client of the commands: sends requests, reads answers, and turns failures into messages.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, LOCATION};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::error_body::reason_in;
use super::sent_token::BearerToken;
use crate::cli::error::Error;
use crate::models::json::parse;
use crate::tls;
use crate::tls::TrustedCertificates;

/// Time within which the service has to accept a connection. Answers have no limit: a purge of a million tasks
/// takes long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The flag that names trusted CA certificates.
const CA_OPTION: &str = "--ca-file";

/// A byte stream to the service, plain or TLS.
pub(crate) trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A client of one service.
pub(crate) struct ServiceClient {
    http: reqwest::Client,
    /// Has no trailing slash.
    url: String,
    token: Option<BearerToken>,
    /// `None` for plain HTTP.
    tls: Option<Arc<ClientConfig>>,
}

impl ServiceClient {
    /// Returns a client of the service at `url`; sends nothing yet.
    pub(crate) fn new(
        url: &Url,
        token: Option<BearerToken>,
        ca_file: Option<&Path>,
    ) -> Result<Self, Error> {
        let trusted = match (url.scheme(), ca_file) {
            ("https", Some(path)) => TrustedCertificates::in_file(path).map_err(Error::Failed)?,
            ("https", None) => TrustedCertificates::usual(),
            _ => TrustedCertificates::none(),
        };
        let is_secure = url.scheme() == "https";
        let tls = is_secure.then(|| Arc::new(tls::client_config(trusted.clone())));
        let http = tls::client(trusted)
            // A proxy from `HTTP_PROXY` cannot reach services on this machine.
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| {
                Error::Failed(format!("cannot create an HTTP client: {}", root(&error)))
            })?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            url,
            token,
            tls,
        })
    }

    /// Returns the service's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the `Authorization` header, if there is a token.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        self.token.as_ref().map(BearerToken::header)
    }

    /// Opens a raw connection to the service, for a WebSocket.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        let url: Url = self.url.parse().map_err(io::Error::other)?;
        let host = url.host_str().unwrap_or_default();
        let host = host.trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or_default();
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::clone(tls));
        Ok(Box::new(connector.connect(name, stream).await?))
    }

    /// Builds a request with the token; sends nothing yet.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match self.authorization() {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// Sends `GET path` and returns the response with its body unread.
    pub(crate) async fn open(&self, path: &str) -> Result<Response, Error> {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends `GET path` and returns the JSON of the answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.answer(self.request(Method::GET, path)).await
    }

    /// Sends `GET path` and returns the JSON object of the answer. Fails on any other JSON.
    pub(crate) async fn get_object(&self, path: &str) -> Result<Value, Error> {
        let answer = self.get(path).await?;
        match answer.is_object() {
            true => Ok(answer),
            false => Err(self.not_a_service()),
        }
    }

    /// Sends `POST path` with a JSON body, or without one, and returns the JSON of the answer.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let mut request = self.request(Method::POST, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    /// Sends `POST path` with a streamed JSON body and returns the JSON of the answer.
    pub(crate) async fn upload(&self, path: &str, body: reqwest::Body) -> Result<Value, Error> {
        let request = self.request(Method::POST, path);
        let request = request.header("content-type", "application/json");
        self.answer(request.body(body)).await
    }

    /// Sends a request and returns the JSON of the answer; null for `204 No Content`.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Result<Value, Error> {
        let response = self.send(request).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let read = response.bytes().await;
        let body = read.map_err(|error| self.unreachable(&error))?;
        parse(&body).map_err(|_| self.not_a_service())
    }

    /// Sends a request and returns the response with its body unread. Any status but 2xx is an error.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let answer = request.send().await;
        let response = answer.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        if status.is_redirection() {
            return Err(self.redirected(status, response.headers()));
        }
        let body = response.bytes().await.unwrap_or_default();
        let words = reason_in(&body)
            .unwrap_or_else(|| format!("{} answered {status} without a reason", self.url));
        Err(match is_temporary(status) {
            true => Error::Unreachable(words),
            false => Error::Failed(words),
        })
    }

    /// Returns the error for a redirect. The client follows none: the token belongs to the named service, and
    /// the target of the redirect may be any server.
    pub(crate) fn redirected(&self, status: StatusCode, headers: &HeaderMap) -> Error {
        let url = &self.url;
        let there = headers.get(LOCATION).map(HeaderValue::as_bytes);
        let there = there.map(|there| String::from_utf8_lossy(there).into_owned());
        let there = there.unwrap_or_else(|| "nowhere".to_owned());
        Error::Failed(format!(
            "{url} answered {status}, a redirect to {there}. Redirects are not followed, so that no other \
             server gets the token; if the service is there, name its address with --url or VENOM_URL"
        ))
    }

    /// Returns the `message` of an answer to a command.
    pub(crate) fn message<'a>(&self, answer: &'a Value) -> Result<&'a str, Error> {
        let message = answer["message"].as_str();
        message.ok_or_else(|| self.not_a_service())
    }

    /// Returns the error for an answer that no venom service sends.
    pub(crate) fn not_a_service(&self) -> Error {
        let url = &self.url;
        Error::Failed(format!("{url} answered, but not as a venom service"))
    }

    /// Returns the error for a connection that could not be opened or was lost.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        if let Some(reason) = tls::reason(error, CA_OPTION) {
            return no_trust(&self.url, &reason);
        }
        if error.is_connect() {
            return no_service(&self.url, root(error));
        }
        let (url, reason) = (&self.url, root(error));
        Error::Unreachable(format!("lost the connection to {url}: {reason}"))
    }
}

/// Returns the error for a server whose certificate is not trusted. A later attempt does not help.
fn no_trust(url: &str, reason: &str) -> Error {
    Error::Failed(format!("no secure connection to {url}: {reason}"))
}

/// Returns the error for an address at which nothing accepts a connection.
pub(crate) fn no_service(url: &str, reason: &(dyn std::error::Error + 'static)) -> Error {
    if let Some(reason) = tls::reason(reason, CA_OPTION) {
        return no_trust(url, &reason);
    }
    // "Connection refused" adds nothing to the sentence below.
    let refused = reason
        .downcast_ref::<io::Error>()
        .is_some_and(|reason| reason.kind() == io::ErrorKind::ConnectionRefused);
    let reason = match refused {
        true => String::new(),
        false => format!(" ({reason})"),
    };
    Error::Unreachable(format!(
        "no venom service answers at {url}{reason}; start one with `venom serve`"
    ))
}

/// Returns the innermost error, which has the cause.
fn root(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut root: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// Returns true for statuses that are worth another attempt later: 429 and 503.
pub(crate) fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    )
}
