//! The handle to the Redis connection: waits for it, and sends a command until Redis answers.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::hive::redis::access_check::is_denied;
use crate::hive::redis::error::is_transient;

/// The pause before a command is retried after a lost connection or a transient refusal.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// Sends commands over the connection; clone it freely.
#[derive(Clone)]
pub(crate) struct RedisHandle {
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    suspected: Arc<Notify>,
}

impl RedisHandle {
    /// Creates a handle to the connection that this channel holds; `suspected` requests a ping of it.
    pub(crate) fn new(
        connection: watch::Receiver<Option<MultiplexedConnection>>,
        suspected: Arc<Notify>,
    ) -> Self {
        Self {
            connection,
            suspected,
        }
    }

    /// Returns the connection as soon as there is one.
    pub(crate) async fn connection(&mut self) -> MultiplexedConnection {
        let found = self.connection.wait_for(Option::is_some).await;
        let found = found.ok().and_then(|found| found.clone());
        match found {
            Some(connection) => connection,
            // The connection's task has ended: the service is stopping.
            None => std::future::pending().await,
        }
    }

    /// Sends a command until Redis answers, also across an outage, a transient refusal or a missing right.
    ///
    /// # Errors
    /// If Redis refuses the command for another reason.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        loop {
            let mut connection = self.clone().connection().await;
            match command.query_async(&mut connection).await {
                Err(error) if self.retryable(&error) => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// Returns true if a refused command may be retried: the condition of Redis may pass, or the right be granted.
    /// Requests a check that finds out.
    pub(crate) fn retryable(&self, error: &RedisError) -> bool {
        let retryable = is_transient(error) || is_denied(error);
        if retryable && error.code().is_some() {
            self.suspected.notify_one();
        }
        retryable
    }

    /// Returns the current connection, if any.
    pub(crate) fn current(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }
}
