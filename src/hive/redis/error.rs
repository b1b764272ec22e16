//! Errors of the Redis connection, and which refusals are transient.

use std::time::Duration;

use redis::RedisError;
use tokio::time::timeout;

/// The timeout of a connection attempt.
pub(crate) const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The timeout of a command.
pub(crate) const ANSWER_PATIENCE: Duration = Duration::from_secs(10);
/// Transient refusals: Redis is starting, full, or not the primary.
const PASSING: [&str; 9] = [
    "LOADING",
    "OOM",
    "READONLY",
    "MASTERDOWN",
    "BUSY",
    "MISCONF",
    "NOREPLICAS",
    "TRYAGAIN",
    "CLUSTERDOWN",
];

/// Why there is no connection: a clause for messages.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    #[error("cannot read the certificates in redis_ca_file: {0}")]
    Certificates(String),
    #[error("no secure connection: {0}")]
    Insecure(String),
    /// The message never holds the password.
    #[error("the password for Redis: {0}")]
    Password(String),
    #[error("{0}")]
    Redis(#[from] RedisError),
    /// Redis answers, but its user lacks a right.
    #[error("{0}")]
    Denied(String),
    #[error("no answer within {} s", .0.as_secs())]
    Silent(Duration),
}

/// Waits for the answer, at most [`ANSWER_PATIENCE`].
pub(crate) async fn within<T>(
    asked: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, ConnectionError> {
    match timeout(ANSWER_PATIENCE, asked).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(ConnectionError::Silent(ANSWER_PATIENCE)),
    }
}

/// Returns true if another connection, or the same one later, may succeed.
pub(crate) fn is_transient(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.code().is_some_and(|code| PASSING.contains(&code))
}
