//! Builds every part, starts the loops, and stops them in order.
//!
//! The order of a clean stop: schedules make no more tasks; no new tasks from clients and no new claims;
//! running tasks get their grace and the rest is given back; listeners are told and closed; open requests
//! end; the dump is written; the database is closed.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::access::{self, Access};
use crate::api::{self, Api, Hosts, RateLimiter, ServerContext, ServerLimits, SocketThread};
use crate::config::{Current, KeySettings, Loaded, ProcessorKind, Settings, Sources};
use crate::doctor::Doctor;
use crate::dump::{Periodic, StateFile};
use crate::hive::{ConnectionError, Hive};
use crate::metrics::Metrics;
use crate::models::HiveLink;
use crate::orchestrator::{self, Orchestrator};
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::reload::{Reload, Reloader};
use crate::schedules::Scheduler;
use crate::state::{
    self, ExecutionSite, Limit, Limits, Lock, OpenError, Retention, Start, StateManager,
    WriterHandle,
};
use crate::traces::Traces;
use crate::{systemd, tls};

/// Why the service did not start, or did not stop well: one sentence.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot listen on {address}: {source}{}", port_hint(source))]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    State(#[from] state::Error),
    #[error(
        "nobody could use a service on {address}: it asks for a token, and there is none. Make one with \
         `venom token create NAME --role admin --database {}`; or let everybody in with --insecure",
        database.display()
    )]
    NoToken { address: IpAddr, database: PathBuf },
    #[error("cannot speak TLS: {0}")]
    Tls(String),
    #[error("cannot send traces: {0}")]
    Traces(String),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("the Hive cannot be started: {0}")]
    Hive(#[from] ConnectionError),
    #[error("the service stopped because {0}")]
    Died(String),
}

fn port_hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => "; choose another port with --port",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    }
}

/// A service that is built and listens, but does not answer yet.
pub(crate) struct App {
    settings: Settings,
    listener: TcpListener,
    address: SocketAddr,
    state: StateManager,
    writer: WriterHandle,
    /// Held until the end: one process owns a database.
    lock: Lock,
    registry: Arc<Registry>,
    reloader: Reloader,
    reload: Reload,
    current: Current,
    doctor: Doctor,
    state_file: StateFile,
    hive: Option<Hive>,
    access: Access,
    /// `None` where no token is asked for.
    tokens: Option<access::Watch>,
    /// `None` speaks plain HTTP.
    tls: Option<TlsAcceptor>,
    metrics: Metrics,
    traces: Traces,
}

impl App {
    /// Opens the database, puts right what a crash has left, and takes the port. A reload reads the
    /// settings from `sources` again.
    ///
    /// # Errors
    /// One sentence for the person who starts the service.
    pub(crate) async fn build(loaded: Loaded, sources: Sources) -> Result<Self, Error> {
        let settings = loaded.settings.clone();
        let wanted = SocketAddr::new(settings.host, settings.port);
        let listen = |source| Error::Listen {
            address: wanted,
            source,
        };
        let tls = tls(&settings)?;
        let traces = Traces::start(&settings).map_err(Error::Traces)?;
        let listener = TcpListener::bind(wanted).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let registry = Arc::new(Registry::new(&settings));

        let metrics = Metrics::default();
        let mut opened = state::open(&settings.database_path, settings.durability).await?;
        orchestrator::recover(&mut opened, &registry).await?;
        let (state, writer, mut lock) = opened
            .start(Start {
                limits: limits(&settings),
                metrics: metrics.clone(),
                poll_interval: settings.poll_interval,
                inbox_limit_bytes: settings.inbox_limit_bytes,
                default_processor: &settings.default_processor,
                max_attempts: registry.max_attempts(),
                hive: HiveLink::at_start(settings.enable_hive),
            })
            .await?;
        let (tokens, access) = tokens(&settings, address.ip(), &state).await?;
        let mut state_file = StateFile::new(&settings.state_file_path);
        state_file
            .first_start(&state, &registry.default_name())
            .await?;
        if let Err(error) = lock.announce(&url_of(address, tls.is_some()), state.health().files()) {
            tracing::warn!(%error, "commands on this machine will not find the service by its database");
        }
        let hive = match settings.enable_hive {
            true => Some(Hive::new(&settings, state.clone())?),
            false => None,
        };
        if let Some(hive) = &hive {
            registry.set_backend(hive.backend());
        }
        let (reloader, reload, current) = Reloader::new(
            loaded,
            sources.clone(),
            state.clone(),
            Arc::clone(&registry),
            limits,
        );
        let doctor = Doctor::new(state.clone(), current.clone(), sources);
        Ok(Self {
            settings,
            listener,
            address,
            state,
            writer,
            lock,
            registry,
            reloader,
            reload,
            current,
            doctor,
            state_file,
            hive,
            access,
            tokens,
            tls,
            metrics,
            traces,
        })
    }

    /// Whether requests need a token.
    pub(crate) fn needs_token(&self) -> bool {
        !self.access.is_open()
    }

    /// The URL at which it listens.
    pub(crate) fn url(&self) -> String {
        url_of(self.address, self.tls.is_some())
    }

    /// Asks the service to read its settings again.
    pub(crate) fn reload(&self) -> Reload {
        self.reload.clone()
    }

    /// Serves until `stop`, then stops cleanly.
    ///
    /// # Errors
    /// When a part of the service died, or the database could not be closed.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let stopping = CancellationToken::new();
        let draining = CancellationToken::new();
        let closing = CancellationToken::new();
        let (queue, orders) = QueueManager::new(self.state.clone());
        let orchestrator = Orchestrator::new(
            self.state.clone(),
            Arc::clone(&self.registry),
            orders,
            self.traces.clone(),
        );
        let mut orchestrator = tokio::spawn(orchestrator.run(
            stopping.clone(),
            draining.clone(),
            self.settings.shutdown_grace,
        ));
        let scheduler = Scheduler::new(self.state.clone(), self.current.clone());
        let reloading = self.reloader.run(stop.clone());
        let scheduling = scheduler.run(stop.clone());
        let mut clockwork = tokio::spawn(async { tokio::join!(scheduling, reloading) });
        let listeners = SocketThread::start().map_err(Error::Thread)?;
        let rate_limiter = Arc::new(RateLimiter::new());
        let api = Arc::new(Api {
            state: self.state.clone(),
            queue: queue.clone(),
            hive: self.hive.as_ref().map(Hive::handle),
            registry: Arc::clone(&self.registry),
            current: self.current.clone(),
            reload: self.reload,
            doctor: self.doctor,
            access: self.access.clone(),
            rate_limiter: Arc::clone(&rate_limiter),
            intake: api::Intake::new(self.settings.body_limit_bytes),
            body_limit_bytes: self.settings.body_limit_bytes,
            request_timeout: self.settings.request_timeout,
            spool_folder: folder_of(&self.settings.database_path),
            database_path: self.settings.database_path.clone(),
            document: api::document(),
            metrics: self.metrics,
            listeners: listeners.spawner(),
            stopping: draining,
            closing: closing.clone(),
        });
        let limits = server_limits(&self.settings);
        let (router, routes) = api::app(api, &self.traces);
        let server = tokio::spawn(api::serve(
            self.listener,
            router,
            ServerContext {
                hosts: Hosts::of(self.address.ip(), self.access.is_open()),
                access: self.access,
                rate_limiter,
                routes,
                current: self.current.clone(),
                tls: self.tls,
            },
            limits,
            closing.clone(),
        ));

        let dumps = tokio::spawn(dump_periodically(
            self.settings.state_dump.then(|| {
                let (interval, changes) =
                    (self.settings.state_dump_interval, self.state.bus().watch());
                Periodic::new(self.state.clone(), self.state_file, interval, changes)
            }),
            closing.clone(),
        ));

        let sweeper = tokio::spawn({
            let (state, stop) = (self.state.clone(), closing.clone());
            let current = self.current.clone();
            async move { state.keep_small(|| retention(&current.get()), stop).await }
        });

        let tokens = tokio::spawn({
            let (tokens, state, stop) = (self.tokens, self.state.clone(), closing.clone());
            async move {
                if let Some(tokens) = tokens {
                    tokens.run(state, stop).await;
                }
            }
        });

        let hive = tokio::spawn({
            let (hive, stop) = (self.hive, closing.clone());
            let registry = Arc::clone(&self.registry);
            async move {
                if let Some(hive) = hive {
                    hive.run(queue, registry, stop).await;
                }
            }
        });

        let files = self.state.health().files().clone();
        let lock = tokio::spawn(self.lock.keep(files, closing.clone()));

        let systemd = tokio::spawn(systemd::report(
            self.state.clone(),
            stop.clone(),
            closing.clone(),
        ));

        let mut writer = self.writer;
        let died = tokio::select! {
            // First, because the stop ends the scheduler too.
            biased;
            () = stop.cancelled() => None,
            ended = &mut writer => Some(format!("its writer ended: {}", ending(ended))),
            ended = &mut orchestrator => Some(format!("its orchestrator ended: {}", ending(ended))),
            ended = &mut clockwork => {
                let ended = ended.map(|_| Ok(()));
                Some(format!("its scheduler ended: {}", ending(ended)))
            }
        };
        if let Some(reason) = died {
            return Err(Error::Died(reason));
        }
        tracing::info!("stopping");
        let _ = clockwork.await;
        stopping.cancel();
        if let Ok(Err(error)) = orchestrator.await {
            tracing::error!(%error, "running tasks could not be given back");
        }
        self.registry.end_leftovers().await;
        closing.cancel();
        let _ = server.await;
        listeners.close().await;
        let _ = hive.await;
        let _ = tokens.await;
        let _ = sweeper.await;
        let _ = systemd.await;
        if let Ok(Some(mut dumps)) = dumps.await
            && let Err(error) = dumps.final_dump().await
        {
            tracing::error!(%error, "the state was not dumped at the end");
        }
        let closed = self.state.close().await;
        let _ = writer.await;
        drop(lock.await);
        closed?;
        self.traces.stop().await;
        tracing::info!("stopped");
        Ok(())
    }
}

/// How it speaks TLS, if it does.
fn tls(settings: &Settings) -> Result<Option<TlsAcceptor>, Error> {
    match (&settings.tls_cert_file, &settings.tls_key_file) {
        (Some(certificate), Some(key)) => {
            let config = tls::server(certificate, key).map_err(Error::Tls)?;
            Ok(Some(TlsAcceptor::from(Arc::new(config))))
        }
        _ => Ok(None),
    }
}

fn url_of(address: SocketAddr, is_secure: bool) -> String {
    let scheme = if is_secure { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// The tokens that are asked for, if they are. A service that nobody could use does not start.
async fn tokens(
    settings: &Settings,
    address: IpAddr,
    state: &StateManager,
) -> Result<(Option<access::Watch>, Access), Error> {
    if !settings.auth.is_required(address) {
        if !address.to_canonical().is_loopback() {
            tracing::warn!(%address, "no token is asked for: whoever reaches this address may do everything");
        }
        return Ok((None, Access::OPEN));
    }
    let Some((watch, access)) = access::Watch::start(state).await? else {
        let database = settings.database_path.clone();
        return Err(Error::NoToken { address, database });
    };
    Ok((Some(watch), access))
}

/// Writes dumps until `stop`, then gives the writer of dumps back for the last one.
async fn dump_periodically(
    dumps: Option<Periodic<StateManager>>,
    stop: CancellationToken,
) -> Option<Periodic<StateManager>> {
    let mut dumps = dumps?;
    dumps.run(stop).await;
    Some(dumps)
}

fn ending(ended: Result<Result<(), state::Error>, tokio::task::JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "for no reason it gave".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

/// The queue's limits, as the settings have them.
pub(crate) fn limits(settings: &Settings) -> Limits {
    let processors = settings.processors.iter();
    let keys = settings.concurrency_keys.iter();
    let key_rule = |settings: &KeySettings| Limit {
        concurrency: settings.concurrency,
        rate: settings.rate,
    };
    let home = |kind: &ProcessorKind| match kind {
        ProcessorKind::Worker(worker) => ExecutionSite::OutsideWorker {
            lease: worker.lease,
        },
        ProcessorKind::Hive(_) => ExecutionSite::Hive,
        ProcessorKind::Echo
        | ProcessorKind::Command(_)
        | ProcessorKind::Webhook(_)
        | ProcessorKind::Llm(_) => ExecutionSite::Local,
    };
    Limits {
        running: settings
            .enable_queue_limits
            .then_some(settings.max_concurrent_tasks),
        running_bytes: settings.running_limit_bytes,
        sites: processors
            .clone()
            .map(|(name, processor)| (name.clone(), home(&processor.kind)))
            .collect(),
        processors: processors
            .map(|(name, processor)| {
                let rule = Limit {
                    concurrency: processor.concurrency,
                    rate: processor.rate,
                };
                (name.clone(), rule)
            })
            .filter(|(_, rule)| *rule != Limit::default())
            .collect(),
        keys: keys
            .filter(|(key, _)| key.as_str() != "*")
            .map(|(key, settings)| (key.clone(), key_rule(settings)))
            .collect(),
        any_key: key_rule(settings.key_settings("*")),
    }
}

fn retention(settings: &Settings) -> Retention {
    Retention {
        completed: settings.retention_completed,
        failed: settings.retention_failed,
    }
}

fn server_limits(settings: &Settings) -> ServerLimits {
    ServerLimits {
        connections: settings.max_connections,
        header_timeout: settings.header_timeout,
        idle_timeout: settings.idle_timeout,
    }
}

fn folder_of(path: &Path) -> PathBuf {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}
