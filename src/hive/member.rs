//! A process as a node of the Hive: it obeys the orders of the control channel, and reports.
//!
//! The channel reaches those who listen at that moment. The last order to all queues stands in Redis too, and each
//! report reads it: so a node that was away, or comes later, obeys it as well.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use super::control::{Command, Message, Pause};
use super::link::Line;
use super::nodes::{Node, REPORT_INTERVAL};
use crate::models::Timestamp;

/// Orders that wait while one is carried out, and those that are remembered between two reports.
const ORDERS: usize = 256;
/// How long a node that stops tries to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a node cannot do something now.
pub(super) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where orders go.
#[derive(Clone)]
pub(super) struct Inbox(mpsc::Sender<Heard>);

/// The other end of an [`Inbox`].
pub(super) struct Orders(mpsc::Receiver<Heard>);

/// An order, and how it came.
struct Heard {
    text: Arc<str>,
    message: Message,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Channel,
    /// It was found standing.
    Found,
    /// The same, when this node came.
    FoundFirst,
}

impl Inbox {
    /// An inbox and who reads it.
    pub fn new() -> (Self, Orders) {
        let (sender, receiver) = mpsc::channel(ORDERS);
        (Self(sender), Orders(receiver))
    }

    /// The channel has brought this. It does not wait: what it is called from hears of jobs too.
    pub fn hear(&self, payload: &[u8]) {
        self.put(payload, Way::Channel);
    }

    /// Whether it is an order that will be looked at.
    fn put(&self, payload: &[u8], way: Way) -> bool {
        match Message::read(payload) {
            Ok(message) => {
                let text = String::from_utf8_lossy(payload).into();
                let is_put = self.0.try_send(Heard { text, message, way }).is_ok();
                if !is_put {
                    tracing::warn!("too many orders of the Hive at once; one was let be");
                }
                is_put
            }
            Err(error) => {
                tracing::warn!(%error, "an order of the Hive was let be");
                false
            }
        }
    }
}

/// How a node is.
pub(super) struct Condition {
    pub running: u64,
    pub max: Option<u64>,
    pub paused: bool,
}

/// What a kind of node does with orders, and with what it finds.
pub(super) trait Role: Sync {
    /// Carries out an order that makes sense here, or leaves it.
    fn obey(&self, command: Command) -> impl Future<Output = Result<(), Failure>> + Send;

    /// How this node is.
    fn condition(&self) -> impl Future<Output = Result<Condition, Failure>> + Send;

    /// The order that stood when this node last looked, also before its last start.
    fn known_order(&self) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// This order stands, and was obeyed.
    fn note_order(&self, order: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whatever stood when this node came is obeyed.
    fn settle(&self) {}

    /// Called after each report.
    fn look_around(
        &self,
        own_id: &str,
        connection: &mut MultiplexedConnection,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A node among the others.
pub(super) struct Member<R> {
    pub node: Node,
    pub line: Line,
    pub inbox: Inbox,
    pub role: R,
}

impl<R: Role> Member<R> {
    /// Obeys and reports for ever.
    pub async fn run(&mut self, orders: Orders) {
        let wanted = Notify::new();
        let (id, role) = (self.node.id.clone(), &self.role);
        let obeyer = Obeyer {
            id,
            role,
            wanted: &wanted,
            recent: VecDeque::new(),
            known: None,
        };
        let reporter = Reporter {
            node: &mut self.node,
            line: self.line.clone(),
            inbox: &self.inbox,
            role,
            is_first: true,
        };
        tokio::join!(obeyer.run(orders), reporter.run(&wanted));
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
}

/// Says how the node is, and finds what stands.
struct Reporter<'a, R> {
    node: &'a mut Node,
    line: Line,
    inbox: &'a Inbox,
    role: &'a R,
    is_first: bool,
}

impl<R: Role> Reporter<'_, R> {
    async fn run(mut self, wanted: &Notify) {
        loop {
            if let Err(error) = self.report().await {
                tracing::debug!(%error, "the Hive was not told how this node is");
            }
            tokio::select! {
                () = sleep(REPORT_INTERVAL) => {}
                () = wanted.notified() => {}
            }
        }
    }

    async fn report(&mut self) -> Result<(), Failure> {
        let mut connection = self.line.connection().await;
        let condition = self.role.condition().await?;
        self.node.running = condition.running;
        self.node.max = condition.max;
        self.node.paused = condition.paused;
        let order = self.node.report(&mut connection).await?;
        let is_first = std::mem::replace(&mut self.is_first, false);
        let way = match is_first {
            true => Way::FoundFirst,
            false => Way::Found,
        };
        let is_put = order.is_some_and(|order| self.inbox.put(&order, way));
        if is_first && !is_put {
            self.role.settle();
        }
        self.role.look_around(&self.node.id, &mut connection).await
    }
}

/// Carries out the orders, one after the other.
struct Obeyer<'a, R> {
    id: String,
    role: &'a R,
    /// A report is wanted.
    wanted: &'a Notify,
    /// What the channel has brought lately.
    recent: VecDeque<Arc<str>>,
    /// The order that stood last.
    known: Option<Arc<str>>,
}

impl<R: Role> Obeyer<'_, R> {
    async fn run(mut self, mut orders: Orders) {
        match self.role.known_order().await {
            Ok(known) => self.known = known.map(Arc::from),
            Err(error) => tracing::warn!(%error, "the last order of the Hive could not be read"),
        }
        while let Some(heard) = orders.0.recv().await {
            match heard.way {
                Way::Channel => self.hear(heard).await,
                Way::Found => self.find(heard).await,
                Way::FoundFirst => {
                    self.find(heard).await;
                    self.role.settle();
                }
            }
        }
    }

    async fn hear(&mut self, heard: Heard) {
        // Found standing before the channel has brought it.
        if self.known.as_ref() != Some(&heard.text) {
            self.obey(heard.message).await;
            self.recent.truncate(ORDERS - 1);
            self.recent.push_front(heard.text);
        }
        self.wanted.notify_one();
    }

    async fn find(&mut self, heard: Heard) {
        if self.known.as_ref() == Some(&heard.text) {
            return;
        }
        if !self.recent.contains(&heard.text) {
            let Message { command, done_by } = heard.message;
            let command = match (heard.way, command) {
                // It was not there to be stopped, and nobody meant what it has waiting.
                (Way::FoundFirst, Command::EmergencyStop) => Some(Command::Pause(Pause {
                    reason: Some("emergency stop".to_owned()),
                    ..Pause::default()
                })),
                // A pause that somebody made here is not for the Hive to end.
                (Way::FoundFirst, Command::Resume(_)) if self.known.is_none() => None,
                (_, command) => Some(command),
            };
            if let Some(command) = command {
                self.obey(Message { command, done_by }).await;
                self.wanted.notify_one();
            }
        }
        if let Err(error) = self.role.note_order(&heard.text).await {
            tracing::warn!(%error, "an order of the Hive could not be noted");
        }
        self.known = Some(heard.text);
    }

    async fn obey(&self, message: Message) {
        let Message { command, done_by } = message;
        if done_by.as_ref() == Some(&self.id) || !is_to_come(&command) {
            return;
        }
        if command != Command::Status {
            tracing::info!(?command, "the Hive orders");
        }
        if let Err(error) = self.role.obey(command).await {
            tracing::error!(%error, "an order of the Hive was not carried out");
        }
    }
}

/// Whether a pause ends later than now, if it ends.
fn is_to_come(command: &Command) -> bool {
    let Command::Pause(pause) = command else {
        return true;
    };
    pause.until.is_none_or(|until| until > Timestamp::now())
}
