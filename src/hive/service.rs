//! The Hive's part of a running service: the connection, the jobs that are out, and the service among the nodes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::RedisError;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::handle::Handle;
use crate::config::Settings;
use crate::hive::cluster::member::{Inbox, Member, Orders};
use crate::hive::cluster::node;
use crate::hive::cluster::node::{Node, NodeKind};
use crate::hive::cluster::service_role::ServiceRole;
use crate::hive::dispatch::cancel::Ends;
use crate::hive::dispatch::dispatcher::{EXPIRES, QueueNames, Sender, Tally};
use crate::hive::dispatch::in_flight::{Flights, Look, Standing, Wanted};
use crate::hive::dispatch::orphan_reaper::Sweeper;
use crate::hive::dispatch::scripts::Scripts;
use crate::hive::dispatch::task_lock::Turns;
use crate::hive::redis::connection::{Ear, Line, Link, LinkError};
use crate::hive::redis::keys;
use crate::hive::redis::keys::NodeKeys;
use crate::models::{HiveLink, Timestamp};
use crate::processors::{Carrier, Registry};
use crate::queue::QueueManager;
use crate::state::StateManager;

/// How often all jobs are looked at: what Redis tells by itself comes sooner.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// The same, where Redis tells nothing.
const BLIND_INTERVAL: Duration = Duration::from_millis(500);
/// When a job is looked at again that Redis does not know.
const CONFIRM_INTERVAL: Duration = Duration::from_millis(500);
/// Jobs that one command looks at.
const LOOK_JOBS: usize = 500;

/// The Hive's part of a running service.
pub(crate) struct Hive {
    link: Link<Listener>,
    line: Line,
    flights: Flights,
    turns: Turns,
    ends: Arc<Ends>,
    scripts: Arc<Scripts>,
    queues: QueueNames,
    zombie: Duration,
    tally: Arc<Tally>,
    channel: String,
    node: Node,
    inbox: Inbox,
    orders: Orders,
    state: StateManager,
}

impl Hive {
    /// The Hive of these settings, not connected yet.
    ///
    /// # Errors
    /// When the certificates of the settings cannot be read.
    pub(crate) fn new(settings: &Settings, state: StateManager) -> Result<Self, LinkError> {
        let (inbox, orders) = Inbox::new();
        let flights = Flights::default();
        let sweep = Arc::<Notify>::default();
        let ear = Listener {
            queues: [
                settings.hive_high_priority_queue.clone(),
                settings.hive_background_queue.clone(),
            ],
            since: Mutex::default(),
            state: state.clone(),
            flights: flights.clone(),
            sweep: Arc::clone(&sweep),
            inbox: inbox.clone(),
        };
        let (link, line) = Link::new(settings, ear)?;
        Ok(Self {
            link,
            ends: Arc::new(Ends::new(line.clone(), flights.clone(), sweep)),
            line,
            flights,
            turns: Turns::default(),
            scripts: Arc::default(),
            queues: QueueNames {
                high: settings.hive_high_priority_queue.clone(),
                background: settings.hive_background_queue.clone(),
            },
            zombie: settings.hive_zombie_task_timeout,
            tally: Arc::default(),
            channel: settings.hive_broadcast_channel.clone(),
            node: Node::of_this_process(NodeKind::Service, &node::host_name()),
            inbox,
            orders,
            state,
        })
    }

    /// What carries the tasks of `hive` processors.
    pub(crate) fn carrier(&self) -> Arc<dyn Carrier> {
        Arc::new(Sender::new(
            self.line.clone(),
            self.flights.clone(),
            self.turns.clone(),
            Arc::clone(&self.ends),
            self.queues.clone(),
            Arc::clone(&self.scripts),
            Arc::clone(&self.tally),
        ))
    }

    /// What the rest of the program can ask of the Hive.
    pub(crate) fn handle(&self) -> Handle {
        Handle {
            line: self.line.clone(),
            flights: self.flights.clone(),
            tally: Arc::clone(&self.tally),
            queues: self.queues.clone(),
            channel: self.channel.clone(),
            id: self.node.id.clone(),
            state: self.state.clone(),
        }
    }

    /// Keeps the connection, looks after the jobs that are out, and is a node among the others, until `stop`.
    pub(crate) async fn run(
        self,
        queue: QueueManager,
        registry: Arc<Registry>,
        stop: CancellationToken,
    ) {
        let mut member = Member {
            node: self.node,
            line: self.line.clone(),
            keys: NodeKeys::of(&self.channel),
            inbox: self.inbox,
            role: ServiceRole::new(self.state.clone(), queue, registry),
        };
        let hears = self.link.hears();
        let sweeper = Sweeper {
            line: self.line.clone(),
            turns: self.turns,
            ends: self.ends,
            state: self.state,
        };
        let looker = Looker {
            line: self.line,
            flights: self.flights,
            scripts: self.scripts,
            zombie: self.zombie,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.link.run() => {}
            () = looker.run(hears) => {}
            () = sweeper.run() => {}
            () = member.run(self.orders) => {}
        }
        member.leave().await;
    }
}

/// What a service does with what it hears: jobs that are out get their news, orders are obeyed, and the queue
/// knows whether tasks of the Hive can start.
struct Listener {
    queues: [String; 2],
    /// Since when Redis is away, or refuses what is needed, whatever the reasons were meanwhile.
    since: Mutex<Option<(Trouble, Timestamp)>>,
    state: StateManager,
    flights: Flights,
    /// Jobs that nobody wants any more are to be looked for.
    sweep: Arc<Notify>,
    inbox: Inbox,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Trouble {
    Away,
    Refusing,
}

impl Ear for Listener {
    fn written_keys(&self) -> Vec<String> {
        let queues = self.queues.iter().cloned();
        queues.chain([keys::ABORT.to_owned()]).collect()
    }

    fn keys(&self) -> Vec<String> {
        [keys::RESULT, keys::IN_PROGRESS]
            .map(|key| format!("{key}*"))
            .into()
    }

    fn hear(&self, key: &str, event: &[u8]) {
        self.flights.hear(key, event);
    }

    fn order(&self, payload: &[u8]) {
        self.inbox.hear(payload);
    }

    async fn connected(&self) {
        *self.since() = None;
        self.tell(HiveLink::Connected).await;
        self.flights.look_at_all();
        self.sweep.notify_one();
    }

    async fn away(&self, reason: String) {
        tracing::warn!(%reason, "Redis is away; tasks of the Hive wait");
        let since = self.since_of(Trouble::Away);
        self.tell(HiveLink::Away { reason, since }).await;
    }

    async fn refusing(&self, reason: String) {
        tracing::warn!(%reason, "Redis refuses what the Hive needs; tasks of the Hive wait");
        let since = self.since_of(Trouble::Refusing);
        self.tell(HiveLink::Refusing { reason, since }).await;
    }
}

impl Listener {
    fn since(&self) -> MutexGuard<'_, Option<(Trouble, Timestamp)>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when this trouble is there.
    fn since_of(&self, trouble: Trouble) -> Timestamp {
        let mut since = self.since();
        match *since {
            Some((same, at)) if same == trouble => at,
            _ => since.insert((trouble, Timestamp::now())).1,
        }
    }

    async fn tell(&self, link: HiveLink) {
        if let Err(error) = self.state.set_hive_link(link).await {
            tracing::debug!(%error, "the queue was not told of Redis");
        }
    }
}

/// Looks at all jobs that are out, now and then.
struct Looker {
    line: Line,
    flights: Flights,
    scripts: Arc<Scripts>,
    zombie: Duration,
}

impl Looker {
    async fn run(mut self, hears: Arc<AtomicBool>) {
        let all = || Wanted {
            all: true,
            jobs: Vec::new(),
        };
        let mut next_look = Instant::now();
        loop {
            let wanted = tokio::select! {
                () = sleep_until(next_look) => all(),
                wanted = self.flights.wanted() => wanted,
            };
            let mut unconfirmed = false;
            for (queue, ids) in self.flights.by_queue(&wanted) {
                for ids in ids.chunks(LOOK_JOBS) {
                    match self.look(&queue, ids).await {
                        Ok(again) => unconfirmed |= again,
                        Err(error) => tracing::debug!(%error, "the jobs could not be looked at"),
                    }
                }
            }
            let interval = match hears.load(Ordering::Relaxed) {
                true => LOOK_INTERVAL,
                false => BLIND_INTERVAL,
            };
            if wanted.all {
                next_look = Instant::now() + interval;
            }
            if unconfirmed {
                next_look = next_look.min(Instant::now() + CONFIRM_INTERVAL);
            }
        }
    }

    /// Looks at some jobs of a queue; whether one of them has to be looked at again soon.
    async fn look(&mut self, queue: &str, ids: &[String]) -> Result<bool, RedisError> {
        let mut connection = self.line.connection().await;
        let mut asked = self.scripts.look.key(queue);
        asked.arg(EXPIRES.as_millis() as u64);
        for id in ids {
            asked.arg(id);
        }
        let look = Look {
            began: Instant::now(),
            patience: self.zombie,
        };
        let standings: String = asked.invoke_async(&mut connection).await?;
        let mut again = false;
        for (id, standing) in ids.iter().zip(standings.chars()) {
            let standing = match standing {
                'r' => Standing::Landed,
                'p' => Standing::Claimed,
                'k' => Standing::Kept,
                'q' => Standing::Queued,
                'e' => Standing::Ended,
                _ => Standing::Gone,
            };
            again |= self.flights.see(id, standing, look);
        }
        Ok(again)
    }
}
