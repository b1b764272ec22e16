//! The connection to Redis: made again with a growing pause whenever it is lost. Its [`Ear`] is told of that,
//! of what happens to the keys that it names, and of what the control channel says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Msg, RedisError};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};

use crate::config::Settings;
use crate::hive::dispatch::scripts::passes;
use crate::hive::redis::access_check::{Check, is_denied};
use crate::hive::redis::server::Server;

/// A connection that is not made within this time has failed.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// A command that is not answered within this time has failed.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// The pause after the first connection that failed; each one doubles it, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two tries of a command that has failed with its connection, or because of Redis's condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// How often a quiet connection is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The same while it refuses what is needed.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);
/// The least time between two questions, so that a Redis in distress does not get one after the other.
const SUSPECTED_INTERVAL: Duration = Duration::from_millis(200);
/// The keyspace events that services and workers need: by key (K), of strings ($), sorted sets (z) and deletions
/// (g). The same for all, because each adds them to those that it has found.
const NOTIFICATIONS: &str = "K$zg";

/// Why there is no connection, in words for a person.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error("cannot read the certificates in redis_ca_file: {0}")]
    Certificates(String),
    #[error("no secure connection: {0}")]
    Insecure(String),
    /// The sentence holds nothing of it.
    #[error("the password for Redis: {0}")]
    Password(String),
    #[error("{0}")]
    Redis(#[from] RedisError),
    /// Redis answers, and its user lacks a right.
    #[error("{0}")]
    Denied(String),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// Who wants to hear of what happens in Redis, and of the connection.
pub(crate) trait Ear: Send + Sync + 'static {
    /// The keys that it hears of; one that ends in `*` stands for all that begin so.
    fn keys(&self) -> Vec<String>;

    /// This has happened to this key.
    fn hear(&self, key: &str, event: &[u8]);

    /// The keys that it writes, besides those that are named after jobs.
    fn written_keys(&self) -> Vec<String>;

    /// The control channel has brought this.
    fn order(&self, payload: &[u8]);

    /// There is a connection, and Redis does what is needed. What has happened before was told to nobody.
    fn connected(&self) -> impl Future<Output = ()> + Send;

    /// Redis answers, and does not do what is needed: it takes no writes, or its user lacks a right.
    fn refusing(&self, reason: String) -> impl Future<Output = ()> + Send;

    /// The connection is lost, or could not be made.
    fn away(&self, reason: String) -> impl Future<Output = ()> + Send;
}

/// Where Redis is, and the connection while there is one.
pub(crate) struct Link<E> {
    server: Server,
    database: u32,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    ear: E,
    /// Whether Redis tells of keys by itself.
    hears: Arc<AtomicBool>,
    channel: String,
    check: Check,
    suspected: Arc<Notify>,
}

/// How Redis is, as the [`Ear`] was told last.
#[derive(Debug, PartialEq, Eq)]
enum Condition {
    Connected,
    Refusing(String),
    Away(String),
}

/// Who uses the connection.
#[derive(Clone)]
pub(crate) struct Line {
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    suspected: Arc<Notify>,
}

impl Line {
    /// The connection, as soon as there is one.
    pub(crate) async fn connection(&mut self) -> MultiplexedConnection {
        let found = self.connection.wait_for(Option::is_some).await;
        let found = found.ok().and_then(|found| found.clone());
        match found {
            Some(connection) => connection,
            // Nobody makes connections any more: the service ends.
            None => std::future::pending().await,
        }
    }

    /// Asks Redis until it answers: while it is away, or in a condition that passes, or withholds a right.
    ///
    /// # Errors
    /// When it refuses the command.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        loop {
            let mut connection = self.clone().connection().await;
            match command.query_async(&mut connection).await {
                Err(error) if self.may_pass(&error) => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// Whether a command that was refused may be tried again: the condition of Redis may pass, or its user be given
    /// the right. The link finds out which it is.
    pub(crate) fn may_pass(&self, error: &RedisError) -> bool {
        let may_pass = passes(error) || is_denied(error);
        if may_pass && error.code().is_some() {
            self.suspected.notify_one();
        }
        may_pass
    }

    /// The connection, if there is one at this moment.
    pub(crate) fn current(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }
}

impl<E: Ear> Link<E> {
    /// A link that is not connected yet.
    ///
    /// # Errors
    /// When the certificates of the settings cannot be read.
    pub(crate) fn new(settings: &Settings, ear: E) -> Result<(Self, Line), LinkError> {
        let (connection, line) = watch::channel(None);
        let suspected = Arc::<Notify>::default();
        let link = Self {
            server: Server::new(settings)?,
            database: settings.redis_db,
            connection,
            check: Check::new(settings.redis_username.as_deref(), ear.written_keys()),
            suspected: Arc::clone(&suspected),
            ear,
            hears: Arc::default(),
            channel: settings.hive_broadcast_channel.clone(),
        };
        let line = Line {
            connection: line,
            suspected,
        };
        Ok((link, line))
    }

    /// Whether Redis tells of keys by itself, as it is found at each connection.
    pub(crate) fn hears(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hears)
    }

    /// Keeps a connection for ever.
    pub(crate) async fn run(self) {
        let mut pause = FIRST_PAUSE;
        let mut told = None;
        loop {
            let lost = match self.connect().await {
                Ok((connection, sink, stream)) => {
                    pause = FIRST_PAUSE;
                    self.serve(connection, sink, stream, &mut told).await
                }
                Err(error) => error,
            };
            self.connection.send_replace(None);
            self.tell(&mut told, self.condition(&lost)).await;
            // So that many services do not come back in step.
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// How Redis is that is lost for this reason.
    fn condition(&self, lost: &LinkError) -> Condition {
        let refusal = match lost {
            LinkError::Denied(reason) => Some(reason.clone()),
            LinkError::Redis(error) if is_denied(error) => self.check.refusal(error),
            _ => None,
        };
        match refusal {
            Some(reason) => Condition::Refusing(reason),
            None => Condition::Away(lost.to_string()),
        }
    }

    /// Tells the ear how Redis is, unless it was told so last.
    async fn tell(&self, told: &mut Option<Condition>, condition: Condition) {
        if told.as_ref() == Some(&condition) {
            return;
        }
        match &condition {
            Condition::Connected => self.ear.connected().await,
            Condition::Refusing(reason) => self.ear.refusing(reason.clone()).await,
            Condition::Away(reason) => self.ear.away(reason.clone()).await,
        }
        *told = Some(condition);
    }

    async fn connect(
        &self,
    ) -> Result<(MultiplexedConnection, PubSubSink, PubSubStream), LinkError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_PATIENCE))
            .set_response_timeout(Some(ANSWER_PATIENCE));
        let mut connection = self.server.connect(config).await?;
        // One that is still reading what it has kept takes connections, and answers nothing else.
        let _: String = within(redis::cmd("PING").query_async(&mut connection)).await?;
        let events = self.server.listen().await?;
        let (mut sink, stream) = events.split();
        for key in self.ear.keys() {
            let channel = format!("__keyspace@{}__:{key}", self.database);
            let heard = match key.ends_with('*') {
                true => within(sink.psubscribe(&channel)).await,
                false => within(sink.subscribe(&channel)).await,
            };
            heard.map_err(|error| self.named(&channel, error))?;
        }
        let heard = within(sink.subscribe(&self.channel)).await;
        heard.map_err(|error| self.named(&self.channel, error))?;
        let asked = ask_for_notifications(&mut connection).await;
        self.hears.store(asked.is_ok(), Ordering::Relaxed);
        if let Err(error) = asked {
            tracing::warn!(
                %error,
                "Redis does not let us turn on its keyspace events; what they tell is looked for twice a \
                 second"
            );
        }
        Ok((connection, sink, stream))
    }

    /// The same error, with the channel if that may not be listened to.
    fn named(&self, channel: &str, error: LinkError) -> LinkError {
        let reason = match &error {
            LinkError::Redis(error) => self.check.closed_channel(channel, error),
            _ => None,
        };
        reason.map_or(error, LinkError::Denied)
    }

    /// Passes on what is heard, until the connection is lost; why it was.
    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        mut sink: PubSubSink,
        mut events: PubSubStream,
        told: &mut Option<Condition>,
    ) -> LinkError {
        self.connection.send_replace(Some(connection.clone()));
        tracing::info!("connected to Redis");
        let hearing = async {
            while let Some(event) = events.next().await {
                self.hear(&event);
            }
            let kind = redis::ErrorKind::Io;
            RedisError::from((kind, "the connection was closed")).into()
        };
        tokio::select! {
            lost = hearing => lost,
            lost = self.keep_asking(&mut connection, &mut sink, told) => lost,
        }
    }

    /// Asks now and then whether both connections are still there, and whether Redis does what is needed, until one is
    /// lost.
    async fn keep_asking(
        &self,
        connection: &mut MultiplexedConnection,
        sink: &mut PubSubSink,
        told: &mut Option<Condition>,
    ) -> LinkError {
        loop {
            let refusal = match within(self.check.run(connection)).await {
                Ok(refusal) => refusal,
                Err(error) => return error,
            };
            // One that is lost in silence would bring no events any more.
            if let Err(error) = within(sink.ping::<redis::Value>()).await {
                return error;
            }
            let interval = match &refusal {
                None => PING_INTERVAL,
                Some(_) => REFUSED_INTERVAL,
            };
            let condition = refusal.map_or(Condition::Connected, Condition::Refusing);
            self.tell(told, condition).await;
            tokio::select! {
                () = sleep(interval) => {}
                // Those who wait for Redis suspect it again with each answer that they miss.
                () = self.suspected.notified() => sleep(SUSPECTED_INTERVAL).await,
            }
        }
    }

    fn hear(&self, event: &Msg) {
        let channel = event.get_channel_name();
        if channel == self.channel {
            self.ear.order(event.get_payload_bytes());
        } else if let Some((_, key)) = channel.split_once("__:") {
            self.ear.hear(key, event.get_payload_bytes());
        }
    }
}

pub(crate) async fn within<T>(
    asked: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, LinkError> {
    match timeout(ANSWER_PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(LinkError::Silent(ANSWER_PATIENCE)),
    }
}

/// Adds the keyspace events that we need to those that are on.
async fn ask_for_notifications(connection: &mut MultiplexedConnection) -> Result<(), RedisError> {
    const NAME: &str = "notify-keyspace-events";
    let found: Vec<String> = redis::cmd("CONFIG")
        .arg("GET")
        .arg(NAME)
        .query_async(connection)
        .await?;
    let mut flags = found.get(1).cloned().unwrap_or_default();
    let has =
        |flags: &str, flag: char| flags.contains(flag) || (flag != 'K' && flags.contains('A'));
    if NOTIFICATIONS.chars().all(|flag| has(&flags, flag)) {
        return Ok(());
    }
    let missing = NOTIFICATIONS.chars().filter(|flag| !has(&flags, *flag));
    let missing: String = missing.collect();
    flags.push_str(&missing);
    redis::cmd("CONFIG")
        .arg("SET")
        .arg(NAME)
        .arg(flags)
        .query_async(connection)
        .await
}
