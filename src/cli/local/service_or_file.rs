//! Where export and import find the tasks: with the running service, or in the database itself.
//!
//! Which of the two is decided by the database's lock, so there is no moment in which a service that
//! is just starting could be overlooked.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::cli::client::http::Client;
use crate::cli::client::target::{Found, Target, announced};
use crate::cli::error::Error;
use crate::config::Settings;
use crate::models::HiveLink;
use crate::state;
use crate::state::{Limits, Lock, OpenError, Start, StateManager, WriterHandle};

/// How long the owner of the database may take to say where it listens.
const PATIENCE: Duration = Duration::from_secs(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// Who has the tasks.
pub(crate) enum Storage {
    Service(Client),
    Database(Database),
}

/// A database that no service runs on, and that is ours until it is closed.
pub(crate) struct Database {
    pub(crate) state: StateManager,
    /// For imported tasks that name no processor.
    pub(crate) default_processor: String,
    writer: WriterHandle,
    lock: Lock,
}

impl Storage {
    /// Finds the tasks. A database that is not there yet is made only if `create`.
    pub(crate) async fn find(target: &Target, create: bool) -> Result<Self, Error> {
        let settings = match target.find()? {
            Found::Named(url) => return Ok(Self::Service(target.client_of(&url)?)),
            Found::Configured(settings) => settings,
        };
        let path = &settings.database_path;
        // A service may run on a file that was removed: it still has the tasks.
        if !create && !path.exists() && announced(path).is_none() {
            let path = path.display();
            return Err(Error::Failed(format!(
                "there is no database {path}; name one with --database, or a service with --url"
            )));
        }
        let patience = Instant::now() + PATIENCE;
        loop {
            match state::open(path, settings.durability).await {
                Ok(opened) => return Ok(Self::Database(Database::start(opened, &settings).await?)),
                Err(OpenError::InUse { .. }) => {}
                Err(error) => return Err(Error::Failed(error.to_string())),
            }
            if let Some(url) = announced(path) {
                return Ok(Self::Service(target.client_of(&url)?));
            }
            if Instant::now() > patience {
                let path = path.display();
                return Err(Error::Failed(format!(
                    "{path} is in use by another venom process that does not say where it listens"
                )));
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }
}

impl Database {
    async fn start(opened: state::Opened, settings: &Settings) -> Result<Self, Error> {
        // Nothing is run here.
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

    /// Writes what is left and gives the database back.
    pub(crate) async fn close(self) -> Result<(), Error> {
        let closed = self.state.close().await;
        let _ = self.writer.await;
        drop(self.lock);
        closed.map_err(|error| Error::Failed(error.to_string()))
    }
}
