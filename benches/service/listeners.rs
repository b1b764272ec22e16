//! Listeners on `/ws/events` that only read and count.
//!
//! They share the machine with what is measured, so they are as cheap as a listener can be: the
//! handshake is written by hand and frames are skipped by their length, unparsed and uncopied.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};
use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;

const READ_BYTES: usize = 64 * 1024;
const TEXT: u8 = 1;
const CLOSE: u8 = 8;
const PING: u8 = 9;

/// What one listener was sent.
#[derive(Default)]
pub struct Heard {
    /// Events, without the greeting and without EVENTS_MISSED.
    pub events: AtomicU64,
    /// Events that EVENTS_MISSED frames said were left out.
    pub missed: AtomicU64,
}

/// Listening until dropped.
pub struct Listeners {
    tasks: JoinSet<Result<()>>,
    heard: Vec<Arc<Heard>>,
}

impl Listeners {
    pub async fn connect(address: SocketAddr, count: usize) -> Result<Self> {
        let mut listeners = Self {
            tasks: JoinSet::new(),
            heard: Vec::new(),
        };
        for _ in 0..count {
            let socket = Socket::connect(address).await?;
            let heard = Arc::new(Heard::default());
            listeners.heard.push(Arc::clone(&heard));
            listeners.tasks.spawn(socket.count_into(heard));
        }
        Ok(listeners)
    }

    /// Waits until nothing more arrives, for ten seconds at most, and gives (got, missed) of each
    /// listener. A listener that was cut off is an error.
    pub async fn finish(mut self) -> Result<Vec<(u64, u64)>> {
        let patience = Instant::now() + Duration::from_secs(10);
        let mut last = None;
        while last != Some(self.total()) && Instant::now() < patience {
            last = Some(self.total());
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        if let Some(ended) = self.tasks.try_join_next() {
            ended??;
        }
        let each = |heard: &Arc<Heard>| (heard.events.load(Relaxed), heard.missed.load(Relaxed));
        Ok(self.heard.iter().map(each).collect())
    }

    fn total(&self) -> u64 {
        self.heard
            .iter()
            .map(|it| it.events.load(Relaxed) + it.missed.load(Relaxed))
            .sum()
    }
}

/// A WebSocket after its handshake.
struct Socket {
    stream: TcpStream,
    buffer: BytesMut,
}

/// One frame at the front of the buffer.
struct Frame {
    opcode: u8,
    header_length: usize,
    length: usize,
}

impl Socket {
    async fn connect(address: SocketAddr) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let request = format!(
            "GET /ws/events HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut socket = Self {
            stream,
            buffer: BytesMut::with_capacity(READ_BYTES),
        };
        socket.skip_response_head().await?;
        Ok(socket)
    }

    async fn skip_response_head(&mut self) -> Result<()> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|it| it == b"\r\n\r\n") {
                if !self.buffer.starts_with(b"HTTP/1.1 101") {
                    let answer = String::from_utf8_lossy(&self.buffer);
                    return Err(format!("/ws/events was answered {answer}").into());
                }
                self.buffer.advance(end + 4);
                return Ok(());
            }
            self.read().await?;
        }
    }

    /// Counts frames until the connection ends, which is an error.
    async fn count_into(mut self, heard: Arc<Heard>) -> Result<()> {
        let mut greeted = false;
        loop {
            while let Some(frame) = first_frame(&self.buffer) {
                self.buffer.advance(frame.header_length);
                let payload = self.buffer.split_to(frame.length);
                match frame.opcode {
                    TEXT if !greeted => greeted = true,
                    TEXT => count(&payload, &heard)?,
                    PING => self.pong(&payload).await?,
                    CLOSE => return Err("the service closed a listener".into()),
                    _ => {}
                }
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<()> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err("the service cut a listener off".into()),
            _ => Ok(()),
        }
    }

    /// A client's frames are masked; a mask of zeros changes nothing.
    async fn pong(&mut self, payload: &[u8]) -> Result<()> {
        let length = u8::try_from(payload.len())?;
        let mut frame = vec![0x8a, 0x80 | length, 0, 0, 0, 0];
        frame.extend_from_slice(payload);
        Ok(self.stream.write_all(&frame).await?)
    }
}

/// The frame that the buffer starts with, if all of it is there. A server's frames are unmasked.
fn first_frame(buffer: &[u8]) -> Option<Frame> {
    let opcode = buffer.first()? & 0x0f;
    let (header_length, length) = match *buffer.get(1)? {
        126 => (
            4,
            u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?).into(),
        ),
        127 => (
            10,
            u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize,
        ),
        length => (2, length.into()),
    };
    (buffer.len() >= header_length + length).then_some(Frame {
        opcode,
        header_length,
        length,
    })
}

fn count(payload: &[u8], heard: &Heard) -> Result<()> {
    #[derive(Deserialize)]
    struct Missed {
        data: Range,
    }
    #[derive(Deserialize)]
    struct Range {
        from: u64,
        to: u64,
    }
    if !says_missed(payload) {
        heard.events.fetch_add(1, Relaxed);
        return Ok(());
    }
    let Range { from, to } = serde_json::from_slice::<Missed>(payload)?.data;
    heard.missed.fetch_add(to.saturating_sub(from) + 1, Relaxed);
    Ok(())
}

/// Looks no further than the event's type, which stands near its front.
fn says_missed(payload: &[u8]) -> bool {
    const KEY: &[u8] = b"\"type\":";
    let Some(at) = payload.windows(KEY.len()).position(|it| it == KEY) else {
        return false;
    };
    payload[at + KEY.len()..]
        .trim_ascii_start()
        .starts_with(b"\"EVENTS_MISSED\"")
}
