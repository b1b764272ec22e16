//! Reloads the configuration of a running service, and applies the settings that need no restart.
//!
//! A reload applies all changes or none: after a mistake in the settings, or an error of the state, everything stays as
//! it was. Running attempts keep the settings they started with.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::config::{
    self, CurrentSettings, Loaded, Origins, SettingChanges, Settings, SettingsPublisher, Sources,
};
use crate::processors::Registry;
use crate::state::{self, Limits, Reconfigured, StateManager};

/// Why a reload changed nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0}")]
    Settings(Box<config::Error>),
    #[error(transparent)]
    State(#[from] state::Error),
}

/// A request to the reloader.
struct ReloadRequest {
    actor: Option<Arc<str>>,
    reply: oneshot::Sender<Result<SettingChanges, Error>>,
}

/// Requests reloads; clones share one reloader.
#[derive(Clone)]
pub(crate) struct ReloadHandle {
    requests: mpsc::Sender<ReloadRequest>,
    actor: Option<Arc<str>>,
}

impl ReloadHandle {
    /// Returns a handle whose reloads are recorded with this actor in the journal.
    #[must_use]
    pub(crate) fn as_actor(&self, actor: Option<Arc<str>>) -> Self {
        let requests = self.requests.clone();
        Self { requests, actor }
    }

    /// Reads the settings from their sources and applies them.
    ///
    /// # Errors
    /// If the settings have a mistake or could not be stored. Nothing has changed then.
    pub(crate) async fn reload(&self) -> Result<SettingChanges, Error> {
        let (reply, answer) = oneshot::channel();
        let stopping = || Error::State(state::Error::Stopping);
        let actor = self.actor.clone();
        let request = self.requests.send(ReloadRequest { actor, reply }).await;
        request.map_err(|_| stopping())?;
        answer.await.unwrap_or_else(|_| Err(stopping()))
    }
}

/// Runs one reload at a time.
pub(crate) struct Reloader {
    request: mpsc::Receiver<ReloadRequest>,
    sources: Sources,
    state: StateManager,
    registry: Arc<Registry>,
    publisher: SettingsPublisher,
    current: CurrentSettings,
    limits: fn(&Settings) -> Limits,
}

impl Reloader {
    /// Returns a reloader, a handle to it, and the settings that it will change. `limits` derives the queue's limits
    /// from the settings.
    pub(crate) fn new(
        loaded: Loaded,
        sources: Sources,
        state: StateManager,
        registry: Arc<Registry>,
        limits: fn(&Settings) -> Limits,
    ) -> (Self, ReloadHandle, CurrentSettings) {
        let (requests, request) = mpsc::channel(1);
        let (publisher, current) = CurrentSettings::new(loaded.settings, loaded.origins);
        let reloader = Self {
            request,
            sources,
            state,
            registry,
            publisher,
            current: current.clone(),
            limits,
        };
        (
            reloader,
            ReloadHandle {
                requests,
                actor: None,
            },
            current,
        )
    }

    /// Handles requests until `stop`.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(Some(request)) = stop.run_until_cancelled(self.request.recv()).await {
            // The client may have disconnected.
            let _ = request.reply.send(self.reload(request.actor).await);
        }
    }

    async fn reload(&self, actor: Option<Arc<str>>) -> Result<SettingChanges, Error> {
        let loaded = self.load().await?;
        for warning in &loaded.warnings {
            tracing::warn!("{warning}");
        }
        let (settings, mut changes) = self.current.get().reloaded(loaded.settings);
        changes.warnings = loaded.warnings;
        if !changes.applied.is_empty() {
            self.apply(settings, &changes, actor).await?;
        }
        self.publisher
            .publish_origins(self.origins(loaded.origins, &changes));
        let (applied, needs_restart) = (&changes.applied, &changes.needs_restart);
        tracing::info!(?applied, ?needs_restart, "configuration reloaded");
        Ok(changes)
    }

    /// Returns the sources of the settings after these changes: a setting that needs a restart keeps its source.
    fn origins(&self, mut read: Origins, changes: &SettingChanges) -> Origins {
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
        // The blocking task fails only when the process exits.
        let loaded = loading.await.map_err(|_| state::Error::Stopping)?;
        loaded.map_err(|mistake| Error::Settings(Box::new(mistake)))
    }

    /// Applies the changed settings. The limits come first: no task may start on a new processor without its limits.
    async fn apply(
        &self,
        settings: Settings,
        changes: &SettingChanges,
        actor: Option<Arc<str>>,
    ) -> Result<(), Error> {
        let processors = settings.processors.iter();
        let attempts = processors.map(|(name, processor)| (name.clone(), processor.max_attempts));
        let change = Reconfigured {
            limits: (self.limits)(&settings),
            default_processor: settings.default_processor.clone(),
            max_attempts: attempts.collect(),
            applied: changes.applied.clone(),
        };
        self.state.as_actor(actor).set_limits(change).await?;
        self.registry.configure(&settings);
        self.publisher.publish(settings);
        Ok(())
    }
}
