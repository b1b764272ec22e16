//! This service as a node of the Hive: it obeys the orders of the control channel, reports, and tells in the
//! journal which other nodes come and go.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep, timeout};

use super::control::{Command, Message, Pause};
use super::link::Line;
use super::nodes::{self, Listed, News, Node, REPORT_INTERVAL, Watch};
use crate::models::Timestamp;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::state::{Error, PauseRequest, StateManager};

/// Orders that wait while one is carried out.
const ORDERS: usize = 256;
/// What a pause says of itself.
const REASON: &str = "by the Hive";
/// How long nobody is missed after Redis was away: others have to find it again and to report first.
const GRACE: Duration = Duration::from_secs(15);
/// How long a node that stops tries to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// Where the control channel's messages go.
pub(super) struct Inbox(mpsc::Sender<Message>);

/// The other end of an [`Inbox`].
pub(super) struct Orders(mpsc::Receiver<Message>);

impl Inbox {
    /// An inbox and who reads it.
    pub fn new() -> (Self, Orders) {
        let (sender, receiver) = mpsc::channel(ORDERS);
        (Self(sender), Orders(receiver))
    }

    /// A message has come. It does not wait: what it is called from hears of jobs too.
    pub fn hear(&self, payload: &[u8]) {
        match Message::read(payload) {
            Ok(message) => {
                if self.0.try_send(message).is_err() {
                    tracing::warn!("too many messages on the control channel; one was let be");
                }
            }
            Err(error) => tracing::warn!(%error, "a message on the control channel was let be"),
        }
    }
}

/// The service among the nodes.
pub(super) struct Member {
    pub node: Node,
    pub line: Line,
    pub state: StateManager,
    pub queue: QueueManager,
    pub registry: Arc<Registry>,
}

impl Member {
    /// Obeys, reports and watches for ever.
    pub async fn run(&mut self, orders: Orders) {
        let report = Notify::new();
        let obeyer = Obeyer {
            id: self.node.id.clone(),
            queue: self.queue.clone(),
            registry: Arc::clone(&self.registry),
            report: &report,
        };
        tokio::join!(obeyer.run(orders), self.keep_reporting(&report));
    }

    /// Takes this node off the list, if Redis is there.
    pub async fn leave(&self) {
        let Some(mut connection) = self.line.current() else {
            return;
        };
        let left = timeout(FAREWELL, self.node.leave(&mut connection)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::debug!("the Hive was not told of the stop");
        }
    }

    async fn keep_reporting(&mut self, wanted: &Notify) {
        let mut watch = Watch::default();
        let mut last = Instant::now();
        let mut grace_ends = last;
        loop {
            match self.report().await {
                Ok(nodes) => {
                    if last.elapsed() > 2 * REPORT_INTERVAL {
                        grace_ends = Instant::now() + GRACE;
                    }
                    last = Instant::now();
                    self.tell(&mut watch, &nodes, last >= grace_ends).await;
                }
                Err(error) => tracing::debug!(%error, "the nodes of the Hive were not looked at"),
            }
            tokio::select! {
                () = sleep(REPORT_INTERVAL) => {}
                () = wanted.notified() => {}
            }
        }
    }

    /// Says how this node is; how the others are.
    async fn report(&mut self) -> Result<Vec<Listed>, Box<dyn std::error::Error + Send + Sync>> {
        let mut connection = self.line.connection().await;
        let status = self.queue.status().await?;
        self.node.running = status.active;
        self.node.max = status.limit;
        self.node.paused = status.paused;
        self.node.report(&mut connection).await?;
        let mut nodes = nodes::list(&mut connection).await?;
        nodes.retain(|listed| listed.node.id != self.node.id);
        Ok(nodes)
    }

    /// Journals what is new.
    async fn tell(&self, watch: &mut Watch, nodes: &[Listed], may_miss: bool) {
        for news in watch.compare(nodes, may_miss) {
            match self.journal(&news).await {
                Ok(()) => watch.note(&news),
                // The next look finds it again.
                Err(error) => tracing::debug!(%error, "news of the Hive were not stored"),
            }
        }
    }

    async fn journal(&self, news: &News) -> Result<(), Error> {
        let (level, sentence, node) = news.words();
        let data = json!({ "node": node.id, "name": node.name, "kind": node.kind });
        self.state.tell(level, sentence, data).await
    }
}

/// Carries out the orders, one after the other.
struct Obeyer<'a> {
    id: String,
    queue: QueueManager,
    registry: Arc<Registry>,
    /// A report is wanted.
    report: &'a Notify,
}

impl Obeyer<'_> {
    async fn run(&self, mut orders: Orders) {
        while let Some(Message { command, done_by }) = orders.0.recv().await {
            if done_by.as_ref() != Some(&self.id) {
                tracing::info!(?command, "the Hive orders");
                if let Err(error) = self.obey(command).await {
                    tracing::error!(%error, "an order of the Hive was not carried out");
                }
            }
            self.report.notify_one();
        }
    }

    async fn obey(&self, command: Command) -> Result<(), Error> {
        match command {
            Command::Pause(pause) if self.makes_sense(&pause) => {
                self.queue.pause(request(pause)).await.map(drop)
            }
            // Not for this node.
            Command::Pause(_) => Ok(()),
            Command::Resume(resume) => self.queue.resume(resume.processor).await.map(drop),
            Command::EmergencyStop => self.queue.emergency_stop().await.map(drop),
            Command::Status => Ok(()),
        }
    }

    /// Whether there is such a processor, and the end is to come.
    fn makes_sense(&self, pause: &Pause) -> bool {
        let is_known = |name: &String| self.registry.get(name).is_some();
        pause.processor.as_ref().is_none_or(is_known)
            && pause.until.is_none_or(|until| until > Timestamp::now())
    }
}

fn request(pause: Pause) -> PauseRequest {
    let reason = match pause.reason {
        None => REASON.to_owned(),
        Some(reason) => format!("{REASON}: {reason}"),
    };
    PauseRequest {
        processor: pause.processor,
        until: pause.until,
        reason: Some(reason),
    }
}
