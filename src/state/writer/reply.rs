//! Reply channels of the Writer.

use tokio::sync::oneshot;

use crate::state::error::Error;

/// Where the answer to a message goes.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// Where the answer comes from.
pub(crate) type LaterReply<T> = oneshot::Receiver<Result<T, Error>>;
