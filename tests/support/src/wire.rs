//! A bare connection, for what no well-behaved client would send.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::service::Service;
use crate::wait::in_time;

pub struct Wire(TcpStream);

impl Service {
    pub async fn wire(&self) -> Wire {
        let stream = in_time("a connection", TcpStream::connect(self.authority())).await;
        Wire(stream.expect("a connection"))
    }
}

impl Wire {
    /// Sends bytes as they are; whether they could be sent.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.0.write_all(bytes.as_ref()).await.is_ok()
    }

    /// Says nothing more, and goes on listening.
    pub async fn finish(&mut self) {
        let _ = self.0.shutdown().await;
    }

    /// Whether the service has said anything that was not read, as far as one can see now.
    pub fn has_answer(&self) -> bool {
        self.0.try_read(&mut [0]).is_ok()
    }

    /// Everything the service says until it closes the connection.
    pub async fn read_to_end(&mut self) -> String {
        let mut said = Vec::new();
        // A reset ends it as well as an end does.
        let _ = in_time("the end of a connection", self.0.read_to_end(&mut said)).await;
        String::from_utf8_lossy(&said).into_owned()
    }

    /// What the service says up to `mark` (and perhaps more).
    pub async fn read_until(&mut self, mark: &str) -> String {
        let mut said = Vec::new();
        loop {
            let read = in_time("an answer on the wire", self.0.read_buf(&mut said)).await;
            let text = String::from_utf8_lossy(&said).into_owned();
            if text.contains(mark) {
                return text;
            }
            let count = read.expect("an open connection");
            assert!(count > 0, "closed before {mark:?}, after: {text}");
        }
    }
}
