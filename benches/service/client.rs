//! One keep-alive HTTP/1.1 connection, by hyper's own client.
//!
//! `Client` asks and `Driver` moves the bytes; whoever connects polls both in one task, so that a
//! request costs the load generator no hand-over between threads.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, Connection, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;

/// Where a load goes.
#[derive(Clone, Copy)]
pub struct Target {
    pub address: SocketAddr,
    pub path: &'static str,
}

pub type Driver = Connection<TokioIo<TcpStream>, Full<Bytes>>;

/// What a submission has besides its content.
#[derive(Default)]
pub struct Asking {
    /// More of the JSON object, each with a comma before it.
    pub fields: String,
    pub idempotency_key: Option<String>,
}

pub struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: HeaderValue,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Result<(Self, Driver)> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await?;
        let host = HeaderValue::try_from(address.to_string())?;
        Ok((Self { sender, host }, driver))
    }

    /// One request and its whole answer.
    pub async fn send(
        &mut self,
        method: Method,
        uri: Uri,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes)> {
        self.send_with_key(method, uri, body, None).await
    }

    /// The same with an `Idempotency-Key`.
    async fn send_with_key(
        &mut self,
        method: Method,
        uri: Uri,
        body: Bytes,
        key: Option<String>,
    ) -> Result<(StatusCode, Bytes)> {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(HOST, self.host.clone())
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let request = request.body(Full::new(body))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let status = response.status();
        Ok((status, response.into_body().collect().await?.to_bytes()))
    }

    /// Submits a task. An answer other than 201, or 200 of a submission that waits for its result, is an error that
    /// shows it.
    pub async fn submit(&mut self, uri: Uri, content: &str) -> Result<Bytes> {
        self.submit_asking(uri, content, Asking::default()).await
    }

    /// Submits a task that asks for more than to be run.
    pub async fn submit_asking(
        &mut self,
        uri: Uri,
        content: &str,
        asking: Asking,
    ) -> Result<Bytes> {
        let fields = asking.fields;
        let body = format!(r#"{{"content":"{content}"{fields}}}"#).into();
        let (status, answer) = self
            .send_with_key(Method::POST, uri, body, asking.idempotency_key)
            .await?;
        if !matches!(status, StatusCode::CREATED | StatusCode::OK) {
            return Err(refused("POST", status, &answer));
        }
        Ok(answer)
    }
}

/// A connection for the calls beside the load, which nobody times.
pub struct Control {
    client: Client,
    /// Owns the driver; dropping it closes the connection.
    _driver: JoinSet<()>,
}

impl Control {
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let (client, driver) = Client::connect(address).await?;
        let mut tasks = JoinSet::new();
        // A broken connection shows as the error of the request that needed it.
        tasks.spawn(async move { drop(driver.await) });
        Ok(Self {
            client,
            _driver: tasks,
        })
    }

    pub async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub async fn post<T: DeserializeOwned>(&mut self, path: &str) -> Result<T> {
        self.call(Method::POST, path, Bytes::new()).await
    }

    /// Any other request; an answer that is no success is an error that shows it.
    pub async fn call<T: DeserializeOwned>(
        &mut self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T> {
        let (status, answer) = self.client.send(method, path.parse()?, body).await?;
        if !status.is_success() {
            return Err(refused(path, status, &answer));
        }
        Ok(serde_json::from_slice(&answer)?)
    }
}

fn refused(what: &str, status: StatusCode, answer: &[u8]) -> crate::Failure {
    format!(
        "{what} was answered {status}: {}",
        String::from_utf8_lossy(answer)
    )
    .into()
}
