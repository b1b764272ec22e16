//! The interface to the rest of the program: the state of the Hive, its nodes, and a broadcast to all of them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use redis::RedisError;
use redis::aio::MultiplexedConnection;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::hive::cluster::command::MESSAGE_LIMIT;
use crate::hive::cluster::node_list::ListedNode;
use crate::hive::cluster::{broadcast, node_list};
use crate::hive::dispatch::in_flight::InFlight;
use crate::hive::dispatch::job_counters::JobCounters;
use crate::hive::dispatch::job_status::JobStatus;
use crate::hive::dispatch::queues::QueueNames;
use crate::hive::redis::access_check::is_denied;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys::NodeKeys;
use crate::models::{HiveLink, TaskId};
use crate::state;
use crate::state::StateManager;

/// The handle to the Hive; clone it freely.
#[derive(Clone)]
pub(crate) struct Handle {
    pub(crate) line: RedisHandle,
    pub(crate) in_flight: InFlight,
    pub(crate) counters: Arc<JobCounters>,
    pub(crate) queues: QueueNames,
    pub(crate) channel: String,
    /// The id of this node.
    pub(crate) id: String,
    pub(crate) state: StateManager,
}

/// Why a call to the Hive failed: a sentence without a full stop.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("Redis is unreachable: {0}")]
    Away(String),
    #[error("Redis refused a command: {0}")]
    Redis(#[from] RedisError),
    #[error("Redis refuses it: {0}")]
    Denied(String),
    #[error("the message is larger than {MESSAGE_LIMIT} bytes")]
    Large,
    #[error(transparent)]
    State(#[from] state::Error),
}

/// The state of the Hive, as this service knows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HiveStatus)]
pub(crate) struct Status {
    #[serde(flatten)]
    pub(crate) link: HiveLink,
    pub(crate) queues: QueueLengths,
    /// Jobs of this service that have not ended.
    pub(crate) in_flight: usize,
    /// Jobs of this service that have ended with a result since it started. Each attempt is a job.
    pub(crate) completed: u64,
    /// Jobs of this service that have failed or were lost since it started; not those that were aborted.
    pub(crate) failed: u64,
    /// The number of reporting nodes, this one included; `null` while Redis is unreachable.
    #[schema(required)]
    pub(crate) nodes: Option<usize>,
}

/// Both queues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HiveQueues)]
pub(crate) struct QueueLengths {
    pub(crate) high: Length,
    pub(crate) background: Length,
}

/// A queue in Redis.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = HiveQueue)]
pub(crate) struct Length {
    pub(crate) name: String,
    /// The number of queued and running jobs; `null` while Redis is unreachable.
    #[schema(required)]
    pub(crate) length: Option<u64>,
}

/// The counts of this service's jobs since it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Jobs {
    pub(crate) in_flight: usize,
    pub(crate) completed: u64,
    pub(crate) failed: u64,
}

impl Handle {
    /// Counts this service's jobs, without a request to Redis.
    pub(crate) fn jobs(&self) -> Jobs {
        Jobs {
            in_flight: self.in_flight.count(),
            completed: self.counters.completed.load(Ordering::Relaxed),
            failed: self.counters.failed.load(Ordering::Relaxed),
        }
    }

    /// Returns the state of this attempt's job; `None` if there is none in flight.
    pub(crate) fn job_of(&self, task: TaskId, attempt: i64) -> Option<JobStatus> {
        self.in_flight.status_of(task, attempt)
    }

    /// Returns the state of the Hive.
    ///
    /// # Errors
    /// If the service is stopping.
    pub(crate) async fn status(&self) -> Result<Status, Error> {
        let link = self.state.queue_status().await?.hive;
        // Without a connection the numbers are missing; the connection's state soon says why.
        let numbers = self.numbers().await.ok();
        let length = |name: &String, length| Length {
            name: name.clone(),
            length,
        };
        Ok(Status {
            link,
            queues: QueueLengths {
                high: length(&self.queues.high, numbers.map(|it| it.0)),
                background: length(&self.queues.background, numbers.map(|it| it.1)),
            },
            in_flight: self.in_flight.count(),
            completed: self.counters.completed.load(Ordering::Relaxed),
            failed: self.counters.failed.load(Ordering::Relaxed),
            nodes: numbers.map(|it| it.2),
        })
    }

    /// Returns the nodes seen within the last hour, at most 1000.
    ///
    /// # Errors
    /// If Redis is unreachable.
    pub(crate) async fn nodes(&self) -> Result<Vec<ListedNode>, Error> {
        let mut connection = self.connection().await?;
        Ok(node_list::list(&mut connection, &NodeKeys::of(&self.channel)).await?)
    }

    /// Sends a command to all nodes, this one included; returns how many subscribers received it, other programs included.
    ///
    /// # Errors
    /// If Redis is unreachable or the message is too large. If the connection is lost meanwhile, nodes may still have
    /// received it.
    pub(crate) async fn broadcast(&self, command: &str, data: &Value) -> Result<u64, Error> {
        let message = broadcast::message(command, data);
        if message.len() > MESSAGE_LIMIT {
            return Err(Error::Large);
        }
        let mut connection = self.connection().await?;
        let published = broadcast::publish(&mut connection, &self.channel, &message).await;
        published.map_err(|error| match is_denied(&error) {
            true => Error::Denied(format!(
                "its user may not publish to {0} (it needs +publish and &{0}): {error}",
                self.channel
            )),
            false => Error::Redis(error),
        })
    }

    /// Sends a command that this node has already run to all nodes; returns how many received it. `data` is a JSON object.
    ///
    /// # Errors
    /// Like [`Handle::broadcast`].
    pub(crate) async fn pass_on(&self, command: &str, mut data: Value) -> Result<u64, Error> {
        data["done_by"] = json!(self.id);
        self.broadcast(command, &data).await
    }

    /// Returns the lengths of both queues and the number of reporting nodes.
    async fn numbers(&self) -> Result<(u64, u64, usize), Error> {
        let mut connection = self.connection().await?;
        let (high, background) = redis::pipe()
            .zcard(&self.queues.high)
            .zcard(&self.queues.background)
            .query_async(&mut connection)
            .await?;
        let nodes = node_list::list(&mut connection, &NodeKeys::of(&self.channel)).await?;
        let reporting = nodes.iter().filter(|listed| !listed.silent);
        Ok((high, background, reporting.count()))
    }

    async fn connection(&self) -> Result<MultiplexedConnection, Error> {
        if let Some(connection) = self.line.current() {
            return Ok(connection);
        }
        Err(match self.state.queue_status().await?.hive {
            HiveLink::Away { reason, .. } => Error::Away(reason),
            HiveLink::Refusing { reason, .. } => Error::Denied(reason),
            HiveLink::Off | HiveLink::Connected => {
                Error::Away("the connection was just lost".to_owned())
            }
        })
    }
}
