//! The Hive: tasks that run on other machines, by way of Redis and in ARQ's format.
//!
//! SQLite stays the truth about every task; Redis carries jobs there and results back. `wire` is the format,
//! `link` the connection, `sender` what one attempt does, `job` a task as a job and its result as an outcome,
//! `scripts` what runs inside Redis, `flights` what is heard of all jobs. `control` are the orders to all nodes
//! and `nodes` who they are; `member` is this service among them, and `handle` what it can be asked.

pub mod control;
mod flights;
mod handle;
mod job;
mod keys;
mod link;
mod member;
pub mod nodes;
mod scripts;
mod sender;
pub mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::RedisError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use self::flights::{Flights, Standing};
pub use self::handle::{Error, Handle, Length, Queues as QueueLengths, Status};
pub use self::link::LinkError;
use self::link::{Line, Link};
use self::member::{Inbox, Member, Orders};
use self::nodes::{Node, NodeKind};
use self::scripts::Scripts;
use self::sender::{Queues, Sender, Tally};
use crate::config::Settings;
use crate::processors::{Carrier, Registry};
use crate::queue::QueueManager;
use crate::state::StateManager;

/// How often all jobs are looked at: what Redis tells by itself comes sooner.
const LOOK_INTERVAL: Duration = Duration::from_secs(10);
/// The same, where Redis tells nothing.
const BLIND_INTERVAL: Duration = Duration::from_millis(500);
/// Jobs that one command looks at.
const LOOK_JOBS: usize = 500;

/// The Hive's part of a running service.
pub struct Hive {
    link: Link,
    line: Line,
    flights: Flights,
    scripts: Arc<Scripts>,
    queues: Queues,
    zombie: Duration,
    tally: Arc<Tally>,
    channel: String,
    node: Node,
    orders: Orders,
    state: StateManager,
}

impl Hive {
    /// The Hive of these settings, not connected yet.
    ///
    /// # Errors
    /// When the certificates of the settings cannot be read.
    pub fn new(settings: &Settings, state: StateManager) -> Result<Self, LinkError> {
        let (inbox, orders) = Inbox::new();
        let (link, line) = Link::new(settings, state.clone(), inbox)?;
        Ok(Self {
            link,
            line,
            flights: Flights::default(),
            scripts: Arc::default(),
            queues: Queues {
                high: settings.hive_high_priority_queue.clone(),
                background: settings.hive_background_queue.clone(),
            },
            zombie: settings.hive_zombie_task_timeout,
            tally: Arc::default(),
            channel: settings.hive_broadcast_channel.clone(),
            node: Node::of_this_process(NodeKind::Service),
            orders,
            state,
        })
    }

    /// What carries the tasks of `hive` processors.
    pub fn carrier(&self) -> Arc<dyn Carrier> {
        Arc::new(Sender::new(
            self.line.clone(),
            self.flights.clone(),
            self.queues.clone(),
            Arc::clone(&self.scripts),
            Arc::clone(&self.tally),
        ))
    }

    /// What the rest of the program can ask of the Hive.
    pub fn handle(&self) -> Handle {
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
    pub async fn run(self, queue: QueueManager, registry: Arc<Registry>, stop: CancellationToken) {
        let mut member = Member {
            node: self.node,
            line: self.line.clone(),
            state: self.state,
            queue,
            registry,
        };
        let hears = self.link.hears();
        let looker = Looker {
            line: self.line,
            flights: self.flights.clone(),
            scripts: self.scripts,
            zombie: self.zombie,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.link.run(self.flights) => {}
            () = looker.run(hears) => {}
            () = member.run(self.orders) => {}
        }
        member.leave().await;
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
        loop {
            let interval = match hears.load(Ordering::Relaxed) {
                true => LOOK_INTERVAL,
                false => BLIND_INTERVAL,
            };
            tokio::select! {
                () = sleep(interval) => {}
                () = self.flights.wanted() => {}
            }
            for (queue, ids) in self.flights.by_queue() {
                for ids in ids.chunks(LOOK_JOBS) {
                    if let Err(error) = self.look(&queue, ids).await {
                        tracing::debug!(%error, "the jobs could not be looked at");
                    }
                }
            }
        }
    }

    async fn look(&mut self, queue: &str, ids: &[String]) -> Result<(), RedisError> {
        let mut connection = self.line.connection().await;
        let mut asked = self.scripts.look.key(queue);
        for id in ids {
            asked.arg(id);
        }
        let standings: String = asked.invoke_async(&mut connection).await?;
        for (id, standing) in ids.iter().zip(standings.chars()) {
            let standing = match standing {
                'r' => Standing::Landed,
                'p' => Standing::Claimed,
                'q' => Standing::Queued,
                _ => Standing::Gone,
            };
            self.flights.see(id, standing, self.zombie);
        }
        Ok(())
    }
}
