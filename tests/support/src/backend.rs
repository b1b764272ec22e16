//! Another service, played by the test: it takes each request when the test asks for it, and answers
//! what and when the test says.

use std::sync::Arc;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::wait::in_time;

pub struct Backend {
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A request that waits for its answer; without one, its connection is dropped.
pub struct Call {
    /// The request line and the headers.
    pub head: String,
    pub body: String,
    stream: Box<dyn Stream>,
}

/// A connection on which the client may send another request.
pub struct Kept(Box<dyn Stream>);

impl Kept {
    /// The next request on this connection.
    pub async fn next(self) -> Call {
        let call = in_time("a request on a kept connection", Call::read(self.0)).await;
        call.expect("a request on a kept connection")
    }
}

impl Backend {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        Self {
            listener: listener.expect("a free port"),
            tls: None,
        }
    }

    /// One that speaks TLS.
    pub async fn start_secure(config: ServerConfig) -> Self {
        Self {
            tls: Some(TlsAcceptor::from(Arc::new(config))),
            ..Self::start().await
        }
    }

    pub fn url(&self) -> String {
        let scheme = self.tls.as_ref().map_or("http", |_| "https");
        let address = self.listener.local_addr().expect("an address");
        format!("{scheme}://{address}/")
    }

    /// The next request, whole.
    pub async fn next(&self) -> Call {
        in_time("a request", self.try_next())
            .await
            .expect("a request")
    }

    /// The next request; `None` if the client goes away before it has sent one.
    pub async fn try_next(&self) -> Option<Call> {
        let (stream, _) = self.listener.accept().await.expect("a connection");
        match &self.tls {
            None => Call::read(Box::new(stream)).await,
            Some(tls) => Call::read(Box::new(tls.accept(stream).await.ok()?)).await,
        }
    }
}

impl Call {
    async fn read(mut stream: Box<dyn Stream>) -> Option<Self> {
        let mut read = Vec::new();
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n")
                && body.len() >= length(head)
            {
                let (head, body) = (head.to_owned(), body.to_owned());
                return Some(Self { head, body, stream });
            }
            let count = stream.read_buf(&mut read).await.ok()?;
            if count == 0 {
                return None;
            }
        }
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }

    /// Answers with a status such as `404 Not Found`, header lines such as `A: b\r\n`, and a body.
    pub async fn answer(mut self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}"
        );
        self.say(&format!("{head}\r\n{body}")).await;
        let _ = self.stream.shutdown().await;
    }

    /// Answers with a body of bytes.
    pub async fn answer_bytes(mut self, status: &str, headers: &str, body: &[u8]) {
        let length = body.len();
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
        );
        self.say(&head).await;
        let _ = self.stream.write_all(body).await;
        let _ = self.stream.shutdown().await;
    }

    /// Answers and keeps the connection for another request.
    pub async fn answer_and_keep(mut self, status: &str, body: &str) -> Kept {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n");
        self.say(&(head + body)).await;
        Kept(self.stream)
    }

    /// Begins a stream of server-sent events.
    pub async fn begin_stream(&mut self) {
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
        self.say(head).await;
    }

    /// Sends bytes as they are.
    pub async fn say(&mut self, text: &str) {
        // A client that has heard enough may be gone.
        let _ = self.stream.write_all(text.as_bytes()).await;
        let _ = self.stream.flush().await;
    }

    /// Waits until the client has gone away.
    pub async fn dropped(mut self) {
        let mut rest = Vec::new();
        let _ = in_time("the client goes away", self.stream.read_to_end(&mut rest)).await;
    }
}

fn length(head: &str) -> usize {
    let length = header(head, "content-length").unwrap_or("0");
    length.parse().expect("a length")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().skip(1).find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}
