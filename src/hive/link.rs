//! The connection to Redis: made again with a growing pause whenever it is lost. Its [`Ear`] is told of that,
//! of what happens to the keys that it names, and of what the control channel says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Cmd, FromRedisValue, Msg, RedisError};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::scripts::passes;
use super::server::Server;
use crate::config::Settings;

/// A connection that is not made within this time has failed.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// A command that is not answered within this time has failed.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// The pause after the first connection that failed; each one doubles it, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Between two tries of a command that has failed with its connection, or because of Redis's condition.
pub(super) const PAUSE: Duration = Duration::from_millis(200);
/// How often a quiet connection is asked whether it is still there.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The keyspace events that services and workers need: by key (K), of strings ($), sorted sets (z) and deletions
/// (g). The same for all, because each adds them to those that it has found.
const NOTIFICATIONS: &str = "K$zg";

/// Why there is no connection, in words for a person.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error("cannot read the certificates in redis_ca_file: {0}")]
    Certificates(String),
    #[error("no secure connection: {0}")]
    Insecure(String),
    /// The sentence holds nothing of it.
    #[error("the password for Redis: {0}")]
    Password(String),
    #[error("{0}")]
    Redis(#[from] RedisError),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// Who wants to hear of what happens in Redis, and of the connection.
pub(super) trait Ear: Send + Sync + 'static {
    /// The keys that it hears of; one that ends in `*` stands for all that begin so.
    fn keys(&self) -> Vec<String>;

    /// This has happened to this key.
    fn hear(&self, key: &str, event: &[u8]);

    /// The control channel has brought this.
    fn order(&self, payload: &[u8]);

    /// There is a connection. What has happened before it was told to nobody.
    fn connected(&self) -> impl Future<Output = ()> + Send;

    /// The connection is lost, or could not be made.
    fn away(&self, reason: String) -> impl Future<Output = ()> + Send;
}

/// Where Redis is, and the connection while there is one.
pub(super) struct Link<E> {
    server: Server,
    database: u32,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    ear: E,
    /// Whether Redis tells of keys by itself.
    hears: Arc<AtomicBool>,
    channel: String,
}

/// Who uses the connection.
#[derive(Clone)]
pub(super) struct Line(watch::Receiver<Option<MultiplexedConnection>>);

impl Line {
    /// The connection, as soon as there is one.
    pub async fn connection(&mut self) -> MultiplexedConnection {
        let found = self.0.wait_for(Option::is_some).await;
        let found = found.ok().and_then(|found| found.clone());
        match found {
            Some(connection) => connection,
            // Nobody makes connections any more: the service ends.
            None => std::future::pending().await,
        }
    }

    /// Asks Redis until it answers: while it is away, and in a condition that passes.
    ///
    /// # Errors
    /// When it refuses the command.
    pub async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        loop {
            let mut connection = self.clone().connection().await;
            match command.query_async(&mut connection).await {
                Err(error) if passes(&error) => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// The connection, if there is one at this moment.
    pub fn current(&self) -> Option<MultiplexedConnection> {
        self.0.borrow().clone()
    }
}

impl<E: Ear> Link<E> {
    /// A link that is not connected yet.
    ///
    /// # Errors
    /// When the certificates of the settings cannot be read.
    pub fn new(settings: &Settings, ear: E) -> Result<(Self, Line), LinkError> {
        let (connection, line) = watch::channel(None);
        let link = Self {
            server: Server::new(settings)?,
            database: settings.redis_db,
            connection,
            ear,
            hears: Arc::default(),
            channel: settings.hive_broadcast_channel.clone(),
        };
        Ok((link, Line(line)))
    }

    /// Whether Redis tells of keys by itself, as it is found at each connection.
    pub fn hears(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.hears)
    }

    /// Keeps a connection for ever.
    pub async fn run(self) {
        let mut pause = FIRST_PAUSE;
        loop {
            let lost = match self.connect().await {
                Ok((connection, sink, stream)) => {
                    pause = FIRST_PAUSE;
                    self.serve(connection, sink, stream).await
                }
                Err(error) => error,
            };
            self.connection.send_replace(None);
            self.ear.away(lost.to_string()).await;
            // So that many services do not come back in step.
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
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
            match key.ends_with('*') {
                true => within(sink.psubscribe(channel)).await?,
                false => within(sink.subscribe(channel)).await?,
            }
        }
        within(sink.subscribe(&self.channel)).await?;
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

    /// Passes on what is heard, until the connection is lost; why it was.
    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        mut sink: PubSubSink,
        mut events: PubSubStream,
    ) -> LinkError {
        self.connection.send_replace(Some(connection.clone()));
        tracing::info!("connected to Redis");
        self.ear.connected().await;
        let hearing = async {
            while let Some(event) = events.next().await {
                self.hear(&event);
            }
            let kind = redis::ErrorKind::Io;
            RedisError::from((kind, "the connection was closed")).into()
        };
        tokio::select! {
            lost = hearing => lost,
            lost = keep_asking(&mut connection, &mut sink) => lost,
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

/// Asks both connections now and then whether they are still there, until one is not.
async fn keep_asking(connection: &mut MultiplexedConnection, sink: &mut PubSubSink) -> LinkError {
    let mut pings = interval(PING_INTERVAL);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pings.tick().await;
        let ping = redis::cmd("PING");
        if let Err(error) = within(ping.query_async::<String>(connection)).await {
            return error;
        }
        // One that is lost in silence would bring no events any more.
        if let Err(error) = within(sink.ping::<redis::Value>()).await {
            return error;
        }
    }
}

pub(super) async fn within<T>(
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
