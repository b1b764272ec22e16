//! The handle to the Redis connection: waits for it, and sends a command until Redis answers.

use std::sync::Arc;
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, RedisError};
use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use crate::hive::redis::access_check::is_denied;
use crate::hive::redis::error::is_transient;

/// Between two tries of a command that has failed with its connection, or because of Redis's condition.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// Sends commands over the connection; clone it freely.
#[derive(Clone)]
pub(crate) struct RedisHandle {
    connection: watch::Receiver<Option<MultiplexedConnection>>,
    suspected: Arc<Notify>,
}

impl RedisHandle {
    /// A handle to the connection that this channel holds; `suspected` asks for a check of it.
    pub(crate) fn new(
        connection: watch::Receiver<Option<MultiplexedConnection>>,
        suspected: Arc<Notify>,
    ) -> Self {
        Self {
            connection,
            suspected,
        }
    }

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
                Err(error) if self.retryable(&error) => sleep(PAUSE).await,
                answer => return answer,
            }
        }
    }

    /// Whether a command that was refused may be tried again: the condition of Redis may pass, or its user be given
    /// the right. The link finds out which it is.
    pub(crate) fn retryable(&self, error: &RedisError) -> bool {
        let retryable = is_transient(error) || is_denied(error);
        if retryable && error.code().is_some() {
            self.suspected.notify_one();
        }
        retryable
    }

    /// The connection, if there is one at this moment.
    pub(crate) fn current(&self) -> Option<MultiplexedConnection> {
        self.connection.borrow().clone()
    }
}
