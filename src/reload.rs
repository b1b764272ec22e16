//! Reads the settings again while the service runs, and takes over what can change without a restart.
//!
//! Either all of it is taken over or nothing: a mistake in the settings, or a storage that refuses,
//! leaves everything as it was. Running attempts go on as they began.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::{self, Changes, Current, Loaded, Origins, Publisher, Settings, Sources};
use crate::processors::Registry;
use crate::state::{self, Limits, Reconfigured, StateManager};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Settings(Box<config::Error>),
    #[error(transparent)]
    State(#[from] state::Error),
}

/// An order to reload.
struct Asked {
    by: Option<Arc<str>>,
    reply: oneshot::Sender<Result<Changes, Error>>,
}

/// Asks for a reload; clone it freely.
#[derive(Clone)]
pub(crate) struct Reload {
    asking: mpsc::Sender<Asked>,
    by: Option<Arc<str>>,
}

impl Reload {
    /// The same handle, asking in somebody's name: the journal has it with what has changed.
    #[must_use]
    pub(crate) fn in_name_of(&self, by: Option<Arc<str>>) -> Self {
        let asking = self.asking.clone();
        Self { asking, by }
    }

    /// Reads the settings from where they were read at the start, and takes them over.
    ///
    /// # Errors
    /// When there is a mistake in them, or they could not be stored; then nothing was changed.
    pub(crate) async fn reload(&self) -> Result<Changes, Error> {
        let (reply, answer) = oneshot::channel();
        let stopping = || Error::State(state::Error::Stopping);
        let by = self.by.clone();
        let asked = self.asking.send(Asked { by, reply }).await;
        asked.map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }
}

/// Reloads one after the other.
pub(crate) struct Reloader {
    asked: mpsc::Receiver<Asked>,
    sources: Sources,
    state: StateManager,
    registry: Arc<Registry>,
    publisher: Publisher,
    current: Current,
    limits: fn(&Settings) -> Limits,
}

impl Reloader {
    /// A reloader that has nothing to do yet, how to ask it, and the settings that it will change.
    /// `limits` makes the queue's limits of the settings.
    pub(crate) fn new(
        loaded: Loaded,
        sources: Sources,
        state: StateManager,
        registry: Arc<Registry>,
        limits: fn(&Settings) -> Limits,
    ) -> (Self, Reload, Current) {
        let (asking, asked) = mpsc::channel(1);
        let (publisher, current) = Current::new(loaded.settings, loaded.origins);
        let reloader = Self {
            asked,
            sources,
            state,
            registry,
            publisher,
            current: current.clone(),
            limits,
        };
        (reloader, Reload { asking, by: None }, current)
    }

    /// Reloads whenever somebody asks for it, until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(asked)) = stop.run_until_cancelled(self.asked.recv()).await {
            // Who has gone away does not want the answer.
            let _ = asked.reply.send(self.reload(asked.by).await);
        }
    }

    async fn reload(&self, by: Option<Arc<str>>) -> Result<Changes, Error> {
        let loaded = self.load().await?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let (settings, mut changes) = self.current.get().reloaded(loaded.settings);
        changes.warnings = loaded.warnings;
        if !changes.applied.is_empty() {
            self.apply(settings, &changes, by).await?;
        }
        self.publisher
            .publish_origins(self.origins(loaded.origins, &changes));
        let (applied, needs_restart) = (&changes.applied, &changes.needs_restart);
        tracing::info!(?applied, ?needs_restart, "settings read again");
        Ok(changes)
    }

    /// Where the settings come from that hold after these changes: what needs a restart is as it was.
    fn origins(&self, mut read: Origins, changes: &Changes) -> Origins {
        let before = self.current.origins();
        let kept = |key: &str| changes.needs_restart.iter().any(|kept| kept == key);
        read.retain(|key, _| !kept(key));
        let held = before.iter().filter(|(key, _)| kept(key));
        read.extend(held.map(|(key, place)| (*key, place.clone())));
        read
    }

    async fn load(&self) -> Result<Loaded, Error> {
        let sources = self.sources.clone();
        let loading = tokio::task::spawn_blocking(move || Settings::load(&sources));
        // It only fails when the process ends.
        let loaded = loading.await.map_err(|_| state::Error::Stopping)?;
        loaded.map_err(|mistake| Error::Settings(Box::new(mistake)))
    }

    /// The limits come first: a processor must not be found before it is limited.
    async fn apply(
        &self,
        settings: Settings,
        changes: &Changes,
        by: Option<Arc<str>>,
    ) -> Result<(), Error> {
        let processors = settings.processors.iter();
        let attempts = processors.map(|(name, processor)| (name.clone(), processor.max_attempts));
        let change = Reconfigured {
            limits: (self.limits)(&settings),
            default_processor: settings.default_processor.clone(),
            max_attempts: attempts.collect(),
            applied: changes.applied.clone(),
        };
        self.state.in_name_of(by).set_limits(change).await?;
        self.registry.configure(&settings);
        self.publisher.publish(settings);
        Ok(())
    }
}
