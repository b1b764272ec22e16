//! The connection to Redis, restored with a growing pause after each loss. It passes its state, the events of watched
//! keys and the messages of the control channel to its [`RedisListener`].

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSubSink, PubSubStream};
use redis::{AsyncConnectionConfig, Msg, RedisError};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::config::Settings;
use crate::hive::redis::access_check::{AccessCheck, is_denied};
use crate::hive::redis::error::{ANSWER_PATIENCE, CONNECT_PATIENCE, ConnectionError, within};
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::listener::RedisListener;
use crate::hive::redis::server::Server;

/// The pause after the first failed connection; each further failure doubles it, up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often a quiet connection is pinged.
const PING_INTERVAL: Duration = Duration::from_secs(5);
/// The interval of pings while Redis refuses what the node needs.
const REFUSED_INTERVAL: Duration = Duration::from_secs(1);
/// The shortest time between two pings, so that a struggling Redis is not flooded.
const SUSPECTED_INTERVAL: Duration = Duration::from_millis(200);
/// The keyspace events that services and workers need: by key (K), of strings ($), sorted sets (z) and deletions (g).
/// All nodes use the same, because each adds them to those already on.
const NOTIFICATIONS: &str = "K$zg";

/// Keeps the connection to one Redis server.
pub(crate) struct RedisConnection<E> {
    server: Server,
    database: u32,
    connection: watch::Sender<Option<MultiplexedConnection>>,
    listener: E,
    /// True if Redis sends keyspace events.
    has_events: Arc<AtomicBool>,
    channel: String,
    check: AccessCheck,
    suspected: Arc<Notify>,
}

/// The state of Redis that the [`RedisListener`] last received.
#[derive(Debug, PartialEq, Eq)]
enum RedisCondition {
    Connected,
    Refusing(String),
    Away(String),
}

impl<E: RedisListener> RedisConnection<E> {
    /// Creates the connection of these settings; nothing is sent yet.
    ///
    /// # Errors
    /// If the certificates of the settings cannot be read.
    pub(crate) fn new(
        settings: &Settings,
        listener: E,
    ) -> Result<(Self, RedisHandle), ConnectionError> {
        let (connection, line) = watch::channel(None);
        let suspected = Arc::<Notify>::default();
        let link = Self {
            server: Server::new(settings)?,
            database: settings.redis_db,
            connection,
            check: AccessCheck::new(settings.redis_username.as_deref(), listener.written_keys()),
            suspected: Arc::clone(&suspected),
            listener,
            has_events: Arc::default(),
            channel: settings.hive_broadcast_channel.clone(),
        };
        Ok((link, RedisHandle::new(line, suspected)))
    }

    /// Returns the flag that says whether Redis sends keyspace events, updated at each connection.
    pub(crate) fn has_events(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_events)
    }

    /// Keeps the connection for ever.
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
            self.report_condition(&mut told, self.condition(&lost))
                .await;
            // Jitter keeps many services from reconnecting at once.
            sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Returns the condition of Redis after this error.
    fn condition(&self, lost: &ConnectionError) -> RedisCondition {
        let refusal = match lost {
            ConnectionError::Denied(reason) => Some(reason.clone()),
            ConnectionError::Redis(error) if is_denied(error) => self.check.refusal(error),
            _ => None,
        };
        match refusal {
            Some(reason) => RedisCondition::Refusing(reason),
            None => RedisCondition::Away(lost.to_string()),
        }
    }

    /// Reports the state of Redis to the listener if it has changed.
    async fn report_condition(&self, told: &mut Option<RedisCondition>, condition: RedisCondition) {
        if told.as_ref() == Some(&condition) {
            return;
        }
        match &condition {
            RedisCondition::Connected => self.listener.on_connected().await,
            RedisCondition::Refusing(reason) => self.listener.on_refusing(reason.clone()).await,
            RedisCondition::Away(reason) => self.listener.on_unreachable(reason.clone()).await,
        }
        *told = Some(condition);
    }

    async fn connect(
        &self,
    ) -> Result<(MultiplexedConnection, PubSubSink, PubSubStream), ConnectionError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_PATIENCE))
            .set_response_timeout(Some(ANSWER_PATIENCE));
        let mut connection = self.server.connect(config).await?;
        // A Redis that still loads its data accepts connections and answers nothing else.
        let _: String = within(redis::cmd("PING").query_async(&mut connection)).await?;
        let events = self.server.listen().await?;
        let (mut sink, stream) = events.split();
        for key in self.listener.watched_keys() {
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
        self.has_events.store(asked.is_ok(), Ordering::Relaxed);
        if let Err(error) = asked {
            tracing::warn!(
                %error,
                "Redis does not allow turning on its keyspace events; polling twice a second instead"
            );
        }
        Ok((connection, sink, stream))
    }

    /// Adds the channel's name to the error if the user may not subscribe to it.
    fn named(&self, channel: &str, error: ConnectionError) -> ConnectionError {
        let reason = match &error {
            ConnectionError::Redis(error) => self.check.channel_refusal(channel, error),
            _ => None,
        };
        reason.map_or(error, ConnectionError::Denied)
    }

    /// Passes on events and messages until the connection is lost, and returns the reason.
    async fn serve(
        &self,
        mut connection: MultiplexedConnection,
        mut sink: PubSubSink,
        mut events: PubSubStream,
        told: &mut Option<RedisCondition>,
    ) -> ConnectionError {
        self.connection.send_replace(Some(connection.clone()));
        tracing::info!("connected to Redis");
        let hearing = async {
            while let Some(event) = events.next().await {
                self.route_event(&event);
            }
            let kind = redis::ErrorKind::Io;
            RedisError::from((kind, "the connection was closed")).into()
        };
        tokio::select! {
            lost = hearing => lost,
            lost = self.keep_asking(&mut connection, &mut sink, told) => lost,
        }
    }

    /// Pings both connections and repeats the access check, until a connection is lost.
    async fn keep_asking(
        &self,
        connection: &mut MultiplexedConnection,
        sink: &mut PubSubSink,
        told: &mut Option<RedisCondition>,
    ) -> ConnectionError {
        loop {
            let refusal = match within(self.check.run(connection)).await {
                Ok(refusal) => refusal,
                Err(error) => return error,
            };
            // A silently lost subscription would bring no more events.
            if let Err(error) = within(sink.ping::<redis::Value>()).await {
                return error;
            }
            let interval = match &refusal {
                None => PING_INTERVAL,
                Some(_) => REFUSED_INTERVAL,
            };
            let condition = refusal.map_or(RedisCondition::Connected, RedisCondition::Refusing);
            self.report_condition(told, condition).await;
            tokio::select! {
                () = sleep(interval) => {}
                // Each timed-out command requests another ping.
                () = self.suspected.notified() => sleep(SUSPECTED_INTERVAL).await,
            }
        }
    }

    fn route_event(&self, event: &Msg) {
        let channel = event.get_channel_name();
        if channel == self.channel {
            self.listener.on_command(event.get_payload_bytes());
        } else if let Some((_, key)) = channel.split_once("__:") {
            self.listener.on_key_event(key, event.get_payload_bytes());
        }
    }
}

/// Adds the keyspace events that the Hive needs to those that are on.
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
