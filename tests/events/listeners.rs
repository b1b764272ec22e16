//! A thousand listeners, fifty of which never read: everybody else is told everything, or told
//! exactly what they missed, and the service stays small.

use std::sync::Arc;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use support::{Setup, in_time};

/// Listeners to everything that never read.
const DEAF: usize = 50;
/// Listeners to everything that read as fast as they are told.
const CURIOUS: usize = 50;
/// Listeners to the end alone.
const PATIENT: usize = 900;
const TASKS: usize = 5000;
/// Each task is created, started and completed.
const EVENTS: i64 = 3 * TASKS as i64;
const SUBMITTERS: usize = 10;
/// The emergency stop after all tasks: it pauses, and it says that it is over.
const LAST: i64 = EVENTS + 2;
const MEMORY_LIMIT_KIB: u64 = 120 * 1024;

const TEXT: u8 = 1;
const PING: u8 = 9;
/// A pong without a payload, masked with zeros.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];

/// A WebSocket listener that costs the test next to nothing.
struct LeanListener {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl LeanListener {
    async fn connect(authority: &str, query: &str, receive_buffer: Option<u32>) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes).unwrap();
        }
        let mut stream = socket.connect(authority.parse().unwrap()).await.unwrap();
        let request = format!(
            "GET /ws/events{query} HTTP/1.1\r\nHost: {authority}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut buffer = Vec::new();
        let head = loop {
            assert!(stream.read_buf(&mut buffer).await.unwrap() > 0, "refused");
            let end = buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
            if let Some(end) = end {
                break buffer.drain(..end + 4).collect::<Vec<_>>();
            }
        };
        assert!(
            head.starts_with(b"HTTP/1.1 101 "),
            "{}",
            String::from_utf8_lossy(&head)
        );
        let mut listener = Self { stream, buffer };
        listener.welcome().await;
        listener
    }

    /// Takes the first frame: from then on it is told everything.
    async fn welcome(&mut self) {
        while frame(&self.buffer).is_none() {
            assert!(self.stream.read_buf(&mut self.buffer).await.unwrap() > 0);
        }
        let (_, _, end) = frame(&self.buffer).expect("a whole frame");
        self.buffer.drain(..end);
    }

    /// Reads until event [`LAST`]; the ranges of ids that it was told of, each an event or what was
    /// missed.
    async fn read_to_the_end(mut self) -> Vec<(i64, i64)> {
        let mut told = Vec::new();
        while told.last().is_none_or(|(_, to)| *to < LAST) {
            let mut used = 0;
            while let Some((opcode, payload, end)) = frame(&self.buffer[used..]) {
                match opcode {
                    TEXT => told.push(range(payload)),
                    PING => self.stream.write_all(&PONG).await.unwrap(),
                    other => panic!("opcode {other} after {:?}", told.last()),
                }
                used += end;
            }
            self.buffer.drain(..used);
            if told.last().is_none_or(|(_, to)| *to < LAST) {
                let read = self.stream.read_buf(&mut self.buffer).await;
                assert!(read.unwrap() > 0, "cut off after {:?}", told.last());
            }
        }
        told
    }
}

/// The first whole frame of a server: its opcode, its payload, and where it ends.
fn frame(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let (opcode, length) = (bytes.first()? & 0x0f, *bytes.get(1)?);
    let (start, length) = match length {
        126 => (
            4,
            usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        ),
        127 => panic!("a frame of more than 64 KiB"),
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(start..start + length)?;
    Some((opcode, payload, start + length))
}

fn is_missed(payload: &[u8]) -> bool {
    payload
        .windows(22)
        .take(40)
        .any(|text| text == b"\"type\":\"EVENTS_MISSED\"")
}

/// The ids that a frame stands for.
fn range(payload: &[u8]) -> (i64, i64) {
    if is_missed(payload) {
        let event: Value = serde_json::from_slice(payload).unwrap();
        let id = |name: &str| event["data"][name].as_i64().unwrap();
        return (id("from"), id("to"));
    }
    let digits = payload.strip_prefix(b"{\"id\":").expect("an event");
    let id = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let id = id.fold(0, |id, digit| id * 10 + i64::from(digit - b'0'));
    (id, id)
}

/// The most memory that the service ever had.
fn peak_memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Room for both ends of every connection.
fn allow_many_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).expect("a soft limit up to the hard one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_listeners_are_told_everything_though_some_never_read() {
    allow_many_files();
    let setup = Setup::new().setting("enable_queue_limits", false);
    let service = Arc::new(setup.start().await);
    let authority = service.authority().to_owned();
    let mut deaf = Vec::new();
    for _ in 0..DEAF {
        deaf.push(LeanListener::connect(&authority, "", Some(4096)).await);
    }
    let mut curious = Vec::new();
    for _ in 0..CURIOUS {
        let listener = LeanListener::connect(&authority, "", None).await;
        curious.push(tokio::spawn(listener.read_to_the_end()));
    }
    let mut patient = Vec::new();
    for _ in 0..PATIENT {
        let query = "?types=EMERGENCY_STOP,TASK_FAILED";
        let listener = LeanListener::connect(&authority, query, None).await;
        patient.push(tokio::spawn(listener.read_to_the_end()));
    }
    let submitters = (0..SUBMITTERS).map(|_| {
        let service = Arc::clone(&service);
        tokio::spawn(async move {
            for n in 0..TASKS / SUBMITTERS {
                service
                    .submit(&format!("task {n} {}", "x".repeat(100)))
                    .await;
            }
        })
    });
    for submitter in join_all(submitters).await {
        submitter.unwrap();
    }
    service.drained().await;
    service.emergency_stop().await;
    for reader in curious {
        let told = in_time("everything is told", reader).await.unwrap();
        let mut next = 1;
        for (from, to) in told {
            assert_eq!(from, next);
            assert!(to >= from, "{from}..{to}");
            next = to + 1;
        }
        assert_eq!(next, LAST + 1);
    }
    for reader in patient {
        let told = in_time("the end is told", reader).await.unwrap();
        assert!(told.is_sorted_by(|one, two| one.1 < two.0), "{told:?}");
        assert_eq!(told.last(), Some(&(LAST, LAST)));
    }
    let peak = peak_memory_kib(service.pid());
    assert!(peak < MEMORY_LIMIT_KIB, "{peak} KiB");

    drop(deaf);
    let service = Arc::into_inner(service).expect("nobody else has it");
    service.ends_well().await;
}
