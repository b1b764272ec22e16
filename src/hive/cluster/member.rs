//! A process as a node of the Hive: it obeys the orders of the control channel, and reports.
//!
//! The channel reaches those who listen at that moment. The last order to all queues stands in Redis too, and each
//! report reads it: so a node that was away, or comes later, obeys it as well.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::sync::{Notify, mpsc};
use tokio::time::{sleep, timeout};

use crate::hive::cluster::command;
use crate::hive::cluster::command::{Command, Message};
use crate::hive::cluster::node::{Node, REPORT_INTERVAL, Report};
use crate::hive::dispatch::scripts::passes;
use crate::hive::redis::connection::Line;
use crate::hive::redis::keys::NodeKeys;
use crate::models::Timestamp;

/// Orders that wait while one is carried out, and those that are remembered between two reports.
const ORDERS: usize = 256;
/// Earlier orders that one of another program may take the place of.
const EARLIER: usize = 16;
/// How long a node that stops tries to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// Why a node cannot do something now.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Where orders go.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::Sender<Heard>);

/// The other end of an [`Inbox`].
pub(crate) struct Orders(mpsc::Receiver<Heard>);

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
    /// The same, by the first report of this node.
    FoundFirst,
}

impl Inbox {
    /// An inbox and who reads it.
    pub(crate) fn new() -> (Self, Orders) {
        let (sender, receiver) = mpsc::channel(ORDERS);
        (Self(sender), Orders(receiver))
    }

    /// The channel has brought this. It does not wait: what it is called from hears of jobs too.
    pub(crate) fn hear(&self, payload: &[u8]) {
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
pub(crate) struct Condition {
    pub(crate) running: u64,
    pub(crate) max: Option<u64>,
    pub(crate) paused: bool,
}

/// What a kind of node does with orders, and with what it finds.
pub(crate) trait Role: Sync {
    /// Carries out an order that makes sense here, or leaves it.
    fn obey(&self, command: Command) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Starts nothing until it is resumed: an emergency stop was ordered before this node came.
    fn stay_stopped(&self) -> impl Future<Output = Result<(), Failure>> + Send;

    /// How this node is.
    fn condition(&self) -> impl Future<Output = Result<Condition, Failure>> + Send;

    /// The order that stood when this node last looked, also before its last start.
    fn known_order(&self) -> impl Future<Output = Result<Option<String>, Failure>> + Send;

    /// This order stands, and was obeyed.
    fn note_order(&self, order: &str) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Whatever stood when this node came is obeyed, or cannot be known.
    fn settle(&self) {}

    /// Called after each report.
    fn look_around(
        &self,
        own_id: &str,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

/// A node among the others.
pub(crate) struct Member<R> {
    pub(crate) node: Node,
    pub(crate) line: Line,
    pub(crate) keys: NodeKeys,
    pub(crate) inbox: Inbox,
    pub(crate) role: R,
}

impl<R: Role> Member<R> {
    /// Obeys and reports for ever.
    pub(crate) async fn run(&mut self, orders: Orders) {
        let wanted = Notify::new();
        let foreign = Mutex::default();
        let obeyer = Obeyer {
            id: self.node.id.clone(),
            came_at: self.node.started_at,
            role: &self.role,
            wanted: &wanted,
            foreign: &foreign,
            heard: VecDeque::new(),
            found: VecDeque::new(),
            known: None,
        };
        let reporter = Reporter {
            node: &mut self.node,
            line: self.line.clone(),
            keys: &self.keys,
            inbox: &self.inbox,
            role: &self.role,
            foreign: &foreign,
            is_first: true,
            refusal: None,
        };
        tokio::join!(obeyer.run(orders), reporter.run(&wanted));
    }

    /// Takes this node off the list, if Redis is there.
    pub(crate) async fn leave(&self) {
        let Some(mut connection) = self.line.current() else {
            return;
        };
        let left = timeout(FAREWELL, self.node.leave(&mut connection, &self.keys)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::debug!("the Hive was not told of the stop");
        }
    }
}

/// An order to all queues that the channel has brought, and that does not stand unless it is ours.
struct Foreign {
    text: Arc<str>,
    command: Command,
    /// What stood or was heard before it.
    earlier: Vec<Arc<str>>,
}

/// Says how the node is, and finds what stands.
struct Reporter<'a, R> {
    node: &'a mut Node,
    line: Line,
    keys: &'a NodeKeys,
    inbox: &'a Inbox,
    role: &'a R,
    foreign: &'a Mutex<Option<Foreign>>,
    is_first: bool,
    /// Why the last report was refused, if it was.
    refusal: Option<String>,
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
        let Report { order, refusal } = match self.node.report(&mut connection, self.keys).await {
            // Whoever may not read the order cannot wait for it.
            Err(error) if !passes(&error) => Report {
                order: None,
                refusal: Some(error.to_string()),
            },
            report => report?,
        };
        self.warn(refusal);
        self.let_stand(&mut connection, order.as_deref()).await;
        let is_first = std::mem::replace(&mut self.is_first, false);
        let way = match is_first {
            true => Way::FoundFirst,
            false => Way::Found,
        };
        let is_put = order.is_some_and(|order| self.inbox.put(&order, way));
        if is_first && !is_put {
            self.role.settle();
        }
        let (id, role) = (&self.node.id, self.role);
        role.look_around(id, &mut connection, self.keys).await
    }

    /// Says once why this node is not listed.
    fn warn(&mut self, refusal: Option<String>) {
        if let Some(reason) = refusal.as_ref().filter(|_| refusal != self.refusal) {
            tracing::warn!(%reason, "Redis refuses to list this node of the Hive");
        }
        self.refusal = refusal;
    }

    /// An order that another program has published is to stand too.
    async fn let_stand(&self, connection: &mut MultiplexedConnection, standing: Option<&[u8]>) {
        let Some(Foreign {
            text,
            command,
            earlier,
        }) = self.foreign().take()
        else {
            return;
        };
        if standing == Some(text.as_bytes()) {
            return;
        }
        let order = (&command, &*text);
        let Err(error) = command::let_stand(connection, self.keys, order, &earlier).await else {
            return;
        };
        tracing::debug!(%error, "an order of another program could not be made to stand");
        if passes(&error) {
            // The next report tries again, unless another has come.
            self.foreign().get_or_insert(Foreign {
                text,
                command,
                earlier,
            });
        }
    }

    fn foreign(&self) -> MutexGuard<'_, Option<Foreign>> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out the orders, one after the other.
struct Obeyer<'a, R> {
    id: String,
    came_at: Timestamp,
    role: &'a R,
    /// A report is wanted.
    wanted: &'a Notify,
    foreign: &'a Mutex<Option<Foreign>>,
    /// What the channel has brought since the order that stood last, the newest first.
    heard: VecDeque<Arc<str>>,
    /// What was obeyed because it stood, and may still come by the channel.
    found: VecDeque<Arc<str>>,
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
        let Heard { text, message, .. } = heard;
        if let Some(place) = self.found.iter().position(|found| *found == text) {
            self.found.remove(place);
        } else {
            if message.command.stands() {
                self.expect_to_stand(&text, &message.command);
            }
            self.obey(message).await;
            self.heard.truncate(ORDERS - 1);
            self.heard.push_front(text);
        }
        self.wanted.notify_one();
    }

    fn expect_to_stand(&self, text: &Arc<str>, command: &Command) {
        let earlier = self.heard.iter().take(EARLIER).chain(&self.known);
        let foreign = Foreign {
            text: Arc::clone(text),
            command: command.clone(),
            earlier: earlier.cloned().collect(),
        };
        *self.foreign.lock().unwrap_or_else(PoisonError::into_inner) = Some(foreign);
    }

    async fn find(&mut self, heard: Heard) {
        let Heard { text, message, way } = heard;
        if self.known.as_ref() == Some(&text) {
            return;
        }
        if let Some(place) = self.heard.iter().position(|heard| *heard == text) {
            // The same words may be an order again later.
            self.heard.truncate(place);
        } else {
            match way == Way::FoundFirst && self.is_older(&message) {
                true => self.join(message.command).await,
                false => self.obey(message).await,
            }
            self.found.truncate(ORDERS - 1);
            self.found.push_front(Arc::clone(&text));
            self.wanted.notify_one();
        }
        if let Err(error) = self.role.note_order(&text).await {
            tracing::warn!(%error, "an order of the Hive could not be noted");
        }
        self.known = Some(text);
    }

    /// Whether it was sent before this node came.
    fn is_older(&self, message: &Message) -> bool {
        message
            .sent_at
            .is_none_or(|sent_at| sent_at <= self.came_at)
    }

    /// Does what stands for a node that comes later.
    async fn join(&self, command: Command) {
        let done = match command {
            // It was not there to be stopped, and nobody meant what it has waiting.
            Command::EmergencyStop => self.role.stay_stopped().await,
            // A pause that somebody made here is not for the Hive to end.
            Command::Resume(_) if self.known.is_none() => Ok(()),
            command if is_to_come(&command) => self.role.obey(command).await,
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(%error, "an order of the Hive was not carried out");
        }
    }

    async fn obey(&self, message: Message) {
        let Message {
            command, done_by, ..
        } = message;
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
