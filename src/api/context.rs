//! What the handlers share: one [`Api`] for the life of the service, the state of the router.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::api::auth::rate_limit::RateLimiter;
use crate::api::http::socket_thread;
use crate::api::input::intake::Intake;
use crate::config::Current;
use crate::doctor::Doctor;
use crate::hive;
use crate::metrics::Metrics;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::reload::Reload;
use crate::state::StateManager;

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) state: StateManager,
    pub(crate) queue: QueueManager,
    /// `None` while the Hive is off.
    pub(crate) hive: Option<hive::Handle>,
    pub(crate) registry: Arc<Registry>,
    /// The settings that hold.
    pub(crate) current: Current,
    pub(crate) reload: Reload,
    pub(crate) doctor: Doctor,
    /// Whether tokens are asked for, and which hold.
    pub(crate) access: Access,
    /// What clients have used up.
    pub(crate) rate_limiter: Arc<RateLimiter>,
    /// What large bodies may cost.
    pub(crate) intake: Intake,
    /// Largest request body, except for an import.
    pub(crate) body_limit_bytes: usize,
    /// Time a client may take to send a request's body.
    pub(crate) request_timeout: Duration,
    /// Where an import is kept until it has been read and checked.
    pub(crate) spool_folder: PathBuf,
    pub(crate) database_path: PathBuf,
    /// The text of `GET /openapi.json`, made at its first use.
    pub(crate) document: LazyLock<Bytes>,
    pub(crate) metrics: Metrics,
    /// Serves event sockets.
    pub(crate) listeners: socket_thread::Spawner,
    /// The service takes no new tasks any more.
    pub(crate) stopping: CancellationToken,
    /// Sockets and streams are to end.
    pub(crate) closing: CancellationToken,
}

pub(crate) type Shared = axum::extract::State<Arc<Api>>;
