//! Decides whether export and import talk to a running service or open the database file.
//!
//! The database's lock decides, so a service that is starting is never overlooked.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::{Destination, ServiceTarget, announced};
use crate::cli::error::Error;
use crate::config::Settings;
use crate::models::HiveLink;
use crate::state;
use crate::state::{Limits, Lock, OpenError, Start, StateManager, WriterHandle};

/// Time within which the owner of the lock has to publish its address.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The owner of the tasks.
pub(crate) enum ServiceOrFile {
    Service(ServiceClient),
    File(OfflineDatabase),
}

/// A database without a service, locked by this process until it is closed.
pub(crate) struct OfflineDatabase {
    pub(crate) state: StateManager,
    /// The processor of imported tasks that name none.
    pub(crate) default_processor: String,
    writer: WriterHandle,
    lock: Lock,
}

impl ServiceOrFile {
    /// Finds the service, or opens the database file. Creates a missing file only if `create`.
    pub(crate) async fn find(target: &ServiceTarget, create: bool) -> Result<Self, Error> {
        let settings = match target.destination()? {
            Destination::Named(url) => return Ok(Self::Service(target.client_of(&url)?)),
            Destination::Configured(settings) => settings,
        };
        let path = &settings.database_path;
        // A service may still run on a file that was removed, and has its tasks.
        if !create && !path.exists() && announced(path).is_none() {
            let path = path.display();
            return Err(Error::Failed(format!(
                "database {path} does not exist; name one with --database, or a service with --url"
            )));
        }
        let patience = Instant::now() + PATIENCE;
        loop {
            match state::open(path, settings.durability).await {
                Ok(opened) => {
                    return Ok(Self::File(OfflineDatabase::start(opened, &settings).await?));
                }
                Err(OpenError::InUse { .. }) => {}
                Err(error) => return Err(Error::Failed(error.to_string())),
            }
            if let Some(url) = announced(path) {
                return Ok(Self::Service(target.client_of(&url)?));
            }
            if Instant::now() > patience {
                let path = path.display();
                return Err(Error::Failed(format!(
                    "{path} is locked by another venom process that has not published an address"
                )));
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl OfflineDatabase {
    async fn start(opened: state::Opened, settings: &Settings) -> Result<Self, Error> {
        // No task runs in this process.
        let limits = Limits {
            running: Some(0),
            ..Limits::default()
        };
        let default_processor = settings.default_processor.clone();
        let processors = settings.processors.iter();
        let start = Start {
            limits,
            metrics: crate::metrics::Metrics::default(),
            poll_interval: settings.poll_interval,
            inbox_limit_bytes: settings.inbox_limit_bytes,
            default_processor: &default_processor,
            max_attempts: processors
                .map(|(name, processor)| (name.clone(), processor.max_attempts))
                .collect(),
            hive: HiveLink::Off,
        };
        let started = opened.start(start).await;
        let (state, writer, lock) = started.map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Self {
            state,
            default_processor,
            writer,
            lock,
        })
    }

    /// Commits pending writes and releases the lock.
    pub(crate) async fn close(self) -> Result<(), Error> {
        let closed = self.state.close().await;
        let _ = self.writer.await;
        drop(self.lock);
        closed.map_err(|error| Error::Failed(error.to_string()))
    }
}
