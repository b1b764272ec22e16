//! A way to Redis that a test can cut, or on which Redis falls silent at a word of its own.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use crate::redis::Redis;
use crate::wait::eventually;

/// Passes on what both sides say; closed when it is dropped.
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
    _connections: JoinSet<()>,
}

struct Shared {
    answers: Mutex<Answers>,
    /// How many answers may pass; `usize::MAX` stands for all.
    passing: watch::Sender<usize>,
    /// Counts the cuts.
    cuts: watch::Sender<u32>,
}

/// What Redis says, in the pieces in which it is read.
#[derive(Default)]
struct Answers {
    count: usize,
    hold_at: Option<String>,
    held: String,
}

impl Relay {
    pub async fn start(redis: &Redis) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared {
            answers: Mutex::default(),
            passing: watch::Sender::new(usize::MAX),
            cuts: watch::Sender::new(0),
        });
        let mut connections = JoinSet::new();
        connections.spawn(accept(listener, redis.port(), Arc::clone(&shared)));
        Self {
            port,
            shared,
            _connections: connections,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Keeps back the answer that holds these words, and all that come after it.
    pub fn hold_at(&self, words: &str) {
        self.shared.answers().hold_at = Some(words.to_owned());
    }

    /// Waits until an answer with these words is kept back.
    pub async fn until_held(&self, words: &str) {
        eventually("an answer is kept back", || async {
            self.shared.answers().held.contains(words).then_some(())
        })
        .await;
    }

    /// Passes on what is kept back, and nothing after it.
    pub fn release(&self) {
        let answers = self.shared.answers();
        self.shared.passing.send_replace(answers.count);
    }

    /// Cuts all connections; what is kept back is lost. New ones are passed on whole.
    pub fn cut(&self) {
        let mut answers = self.shared.answers();
        answers.hold_at = None;
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
        self.shared.passing.send_replace(usize::MAX);
    }
}

impl Shared {
    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().expect("no panic")
    }

    /// The number of this answer, which passes when so many may.
    fn number(&self, answer: &[u8]) -> usize {
        let mut answers = self.answers();
        answers.count += 1;
        let text = String::from_utf8_lossy(answer);
        if answers.hold_at.as_ref().is_some_and(|at| text.contains(at)) {
            answers.hold_at = None;
            self.passing.send_replace(answers.count - 1);
        }
        if *self.passing.borrow() < answers.count {
            answers.held.push_str(&text);
        }
        answers.count
    }
}

async fn accept(listener: TcpListener, port: u16, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let redis = TcpStream::connect(("127.0.0.1", port)).await;
        let shared = Arc::clone(&shared);
        let mut cuts = shared.cuts.subscribe();
        connections.spawn(async move {
            tokio::select! {
                // First, so that nothing kept back slips through.
                biased;
                _ = cuts.changed() => {}
                () = pass(client, redis.expect("a running Redis"), &shared) => {}
            }
        });
    }
}

async fn pass(client: TcpStream, redis: TcpStream, shared: &Shared) {
    let (mut from_client, to_client) = client.into_split();
    let (from_redis, mut to_redis) = redis.into_split();
    let (sender, answers) = mpsc::unbounded_channel();
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_redis) => {}
        () = read(from_redis, sender, shared) => {}
        () = write(to_client, answers, shared) => {}
    }
}

async fn read(
    mut redis: OwnedReadHalf,
    answers: mpsc::UnboundedSender<(usize, Vec<u8>)>,
    shared: &Shared,
) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(length @ 1..) = redis.read(&mut buffer).await {
        let answer = buffer[..length].to_vec();
        let _ = answers.send((shared.number(&answer), answer));
    }
}

async fn write(
    mut client: OwnedWriteHalf,
    mut answers: mpsc::UnboundedReceiver<(usize, Vec<u8>)>,
    shared: &Shared,
) {
    let mut passing = shared.passing.subscribe();
    while let Some((number, answer)) = answers.recv().await {
        let _ = passing.wait_for(|passing| *passing >= number).await;
        if client.write_all(&answer).await.is_err() {
            return;
        }
    }
}
