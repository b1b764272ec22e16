//! The state that all handlers share: one [`Api`] for the life of the service.

use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::access::Access;
use crate::api::auth::rate_limit::RateLimiter;
use crate::api::http::socket_thread;
use crate::api::intake::Intake;
use crate::config::CurrentSettings;
use crate::doctor::Doctor;
use crate::hive;
use crate::metrics::Metrics;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::reload::ReloadHandle;
use crate::state::StateManager;

/// What the handlers share.
pub(crate) struct Api {
    pub(crate) state: StateManager,
    pub(crate) queue: QueueManager,
    /// `None` while the Hive is off.
    pub(crate) hive: Option<hive::Handle>,
    pub(crate) registry: Arc<Registry>,
    /// The settings in effect.
    pub(crate) current: CurrentSettings,
    pub(crate) reload: ReloadHandle,
    pub(crate) doctor: Doctor,
    /// The valid tokens, or that none is required.
    pub(crate) access: Access,
    /// Rate limits of clients.
    pub(crate) rate_limiter: Arc<RateLimiter>,
    /// Memory and parser threads for large bodies.
    pub(crate) intake: Intake,
    /// Largest request body, except for an import.
    pub(crate) body_limit_bytes: usize,
    /// Time that a client has to send a request's body.
    pub(crate) request_timeout: Duration,
    /// Folder of imports until they have been checked.
    pub(crate) spool_folder: PathBuf,
    pub(crate) database_path: PathBuf,
    /// The text of `GET /openapi.json`, rendered at its first use.
    pub(crate) document: LazyLock<Bytes>,
    pub(crate) metrics: Metrics,
    /// Serves event sockets.
    pub(crate) listeners: socket_thread::Spawner,
    /// Cancelled when the service accepts no new tasks.
    pub(crate) stopping: CancellationToken,
    /// Cancelled when sockets and streams must end.
    pub(crate) closing: CancellationToken,
}

pub(crate) type Shared = axum::extract::State<Arc<Api>>;
