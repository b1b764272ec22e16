//! The HTTP side of the client commands: requests, and what went wrong in words.

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
use super::sent_token::Token;
use crate::cli::error::Error;
use crate::models::json::parse;
use crate::tls;
use crate::tls::TrustedCertificates;

/// A service that takes longer to take a connection is as good as none. Answers may take as long as
/// they need: a purge of a million tasks does.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where a person says which certificates are to be trusted.
const CA_OPTION: &str = "--ca-file";

/// What bytes go through, whether TLS is around them or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to one service.
pub(crate) struct Client {
    http: reqwest::Client,
    /// Without a slash at its end.
    url: String,
    token: Option<Token>,
    /// How it speaks TLS; `None` for plain HTTP.
    tls: Option<Arc<ClientConfig>>,
}

impl Client {
    /// A client of the service at `url`; nothing is sent yet.
    pub(crate) fn new(
        url: &Url,
        token: Option<Token>,
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
            // What `HTTP_PROXY` names does not know the services of this machine.
            .no_proxy()
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| Error::Failed(format!("cannot make a client: {}", root(&error))))?;
        let url = url.as_str().trim_end_matches('/').to_owned();
        Ok(Self {
            http,
            url,
            token,
            tls,
        })
    }

    /// The service's address.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// How the service knows who asks, if there is a token to say it.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        self.token.as_ref().map(Token::header)
    }

    /// A connection to the service, for what is no request and answer.
    pub(crate) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
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

    /// A request that is not sent yet.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url));
        match self.authorization() {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        }
    }

    /// The answer to `GET path`, to be read.
    pub(crate) async fn open(&self, path: &str) -> Result<Response, Error> {
        self.send(self.request(Method::GET, path)).await
    }

    /// The answer to `GET path`.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, Error> {
        self.answer(self.request(Method::GET, path)).await
    }

    /// The object that `GET path` answers.
    pub(crate) async fn get_object(&self, path: &str) -> Result<Value, Error> {
        let answer = self.get(path).await?;
        match answer.is_object() {
            true => Ok(answer),
            false => Err(self.not_a_service()),
        }
    }

    /// The answer to `POST path`, with a JSON body or none.
    pub(crate) async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let mut request = self.request(Method::POST, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        self.answer(request).await
    }

    /// The answer to `POST path`, with a body that holds JSON and is sent as it is read.
    pub(crate) async fn upload(&self, path: &str, body: reqwest::Body) -> Result<Value, Error> {
        let request = self.request(Method::POST, path);
        let request = request.header("content-type", "application/json");
        self.answer(request.body(body)).await
    }

    /// The answer to a request; null if it has no body.
    pub(crate) async fn answer(&self, request: RequestBuilder) -> Result<Value, Error> {
        let response = self.send(request).await?;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Value::Null);
        }
        let read = response.bytes().await;
        let body = read.map_err(|error| self.unreachable(&error))?;
        parse(&body).map_err(|_| self.not_a_service())
    }

    /// The answer to a request, to be read.
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
            .unwrap_or_else(|| format!("{} answers {status} without a reason", self.url));
        Err(match passes(status) {
            true => Error::Unreachable(words),
            false => Error::Failed(words),
        })
    }

    /// What to say of an answer that points elsewhere. It is not followed: the token is for the service that
    /// was named, and the one that is pointed to may be anybody's.
    pub(crate) fn redirected(&self, status: StatusCode, headers: &HeaderMap) -> Error {
        let url = &self.url;
        let there = headers.get(LOCATION).map(HeaderValue::as_bytes);
        let there = there.map(|there| String::from_utf8_lossy(there).into_owned());
        let there = there.unwrap_or_else(|| "nowhere".to_owned());
        Error::Failed(format!(
            "{url} answers {status} and redirects to {there}. Redirects are not followed, so that no other \
             server gets the token; if the service is there, name its address with --url or VENOM_URL"
        ))
    }

    /// What an answer says became of an order, in words for a person.
    pub(crate) fn message<'a>(&self, answer: &'a Value) -> Result<&'a str, Error> {
        let message = answer["message"].as_str();
        message.ok_or_else(|| self.not_a_service())
    }

    /// What to say of an answer that cannot be read.
    pub(crate) fn not_a_service(&self) -> Error {
        let url = &self.url;
        Error::Failed(format!("{url} answers, but not as a venom service does"))
    }

    /// What to say of a connection that did not come about or broke.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Error {
        if let Some(reason) = tls::reason(error, CA_OPTION) {
            return no_trust(&self.url, &reason);
        }
        if error.is_connect() {
            return no_service(&self.url, root(error));
        }
        let (url, reason) = (&self.url, root(error));
        Error::Unreachable(format!("the connection to {url} broke: {reason}"))
    }
}

/// Somebody answers there, and is not who it should be. That does not pass.
fn no_trust(url: &str, reason: &str) -> Error {
    Error::Failed(format!("no secure connection to {url}: {reason}"))
}

/// What to say when nothing takes a connection.
pub(crate) fn no_service(url: &str, reason: &(dyn std::error::Error + 'static)) -> Error {
    if let Some(reason) = tls::reason(reason, CA_OPTION) {
        return no_trust(url, &reason);
    }
    // That nobody listens is the plain case, and is said already.
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

/// The error at the bottom, which says what happened.
fn root(error: &reqwest::Error) -> &(dyn std::error::Error + 'static) {
    let mut root: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root
}

/// Whether an answer may be another one later: what was asked too much or too often is none for good.
pub(crate) fn passes(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
    )
}
