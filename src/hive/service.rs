//! The Hive's part of a running service: the connection, the jobs in flight, and the service among the nodes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::handle::Handle;
use crate::config::Settings;
use crate::hive::cluster::inbox::{CommandInbox, CommandReceiver};
use crate::hive::cluster::member::Member;
use crate::hive::cluster::node;
use crate::hive::cluster::node::{Node, NodeKind};
use crate::hive::cluster::service_role::ServiceRole;
use crate::hive::dispatch::cancel::Canceller;
use crate::hive::dispatch::dispatcher::Dispatcher;
use crate::hive::dispatch::in_flight::InFlight;
use crate::hive::dispatch::job_counters::JobCounters;
use crate::hive::dispatch::job_poller::JobPoller;
use crate::hive::dispatch::orphan_reaper::OrphanJobReaper;
use crate::hive::dispatch::queues::QueueNames;
use crate::hive::dispatch::scripts::Scripts;
use crate::hive::dispatch::task_lock::TaskLocks;
use crate::hive::redis::connection::RedisConnection;
use crate::hive::redis::error::ConnectionError;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys::NodeKeys;
use crate::hive::service_listener::ServiceListener;
use crate::processors::{HiveBackend, Registry};
use crate::queue::QueueManager;
use crate::state::StateManager;

/// The Hive's part of a running service.
pub(crate) struct Hive {
    link: RedisConnection<ServiceListener>,
    line: RedisHandle,
    in_flight: InFlight,
    locks: TaskLocks,
    canceller: Arc<Canceller>,
    scripts: Arc<Scripts>,
    queues: QueueNames,
    zombie: Duration,
    counters: Arc<JobCounters>,
    channel: String,
    node: Node,
    inbox: CommandInbox,
    orders: CommandReceiver,
    state: StateManager,
}

impl Hive {
    /// Creates the Hive of these settings, not connected yet.
    ///
    /// # Errors
    /// If the certificates of the settings cannot be read.
    pub(crate) fn new(settings: &Settings, state: StateManager) -> Result<Self, ConnectionError> {
        let (inbox, orders) = CommandInbox::new();
        let in_flight = InFlight::default();
        let reap = Arc::<Notify>::default();
        let ear = ServiceListener {
            queues: [
                settings.hive_high_priority_queue.clone(),
                settings.hive_background_queue.clone(),
            ],
            since: Mutex::default(),
            state: state.clone(),
            in_flight: in_flight.clone(),
            reap: Arc::clone(&reap),
            inbox: inbox.clone(),
        };
        let (link, line) = RedisConnection::new(settings, ear)?;
        Ok(Self {
            link,
            canceller: Arc::new(Canceller::new(line.clone(), in_flight.clone(), reap)),
            line,
            in_flight,
            locks: TaskLocks::default(),
            scripts: Arc::default(),
            queues: QueueNames {
                high: settings.hive_high_priority_queue.clone(),
                background: settings.hive_background_queue.clone(),
            },
            zombie: settings.hive_zombie_task_timeout,
            counters: Arc::default(),
            channel: settings.hive_broadcast_channel.clone(),
            node: Node::of_this_process(NodeKind::Service, &node::host_name()),
            inbox,
            orders,
            state,
        })
    }

    /// Returns the backend of all `hive` processors.
    pub(crate) fn backend(&self) -> Arc<dyn HiveBackend> {
        Arc::new(Dispatcher::new(
            self.line.clone(),
            self.in_flight.clone(),
            self.locks.clone(),
            Arc::clone(&self.canceller),
            self.queues.clone(),
            Arc::clone(&self.scripts),
            Arc::clone(&self.counters),
        ))
    }

    /// Returns the handle for the rest of the program.
    pub(crate) fn handle(&self) -> Handle {
        Handle {
            line: self.line.clone(),
            in_flight: self.in_flight.clone(),
            counters: Arc::clone(&self.counters),
            queues: self.queues.clone(),
            channel: self.channel.clone(),
            id: self.node.id.clone(),
            state: self.state.clone(),
        }
    }

    /// Keeps the connection, follows the jobs in flight, and acts as a node, until `stop`.
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
        let has_events = self.link.has_events();
        let reaper = OrphanJobReaper {
            line: self.line.clone(),
            locks: self.locks,
            canceller: self.canceller,
            state: self.state,
        };
        let job_poller = JobPoller {
            line: self.line,
            in_flight: self.in_flight,
            scripts: self.scripts,
            zombie: self.zombie,
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = self.link.run() => {}
            () = job_poller.run(has_events) => {}
            () = reaper.run() => {}
            () = member.run(self.orders) => {}
        }
        member.leave().await;
    }
}
