//! Starts the loops of the service, waits for the shutdown, and ends the loops in order.
//!
//! The order of a shutdown: schedules submit no more tasks; clients can neither submit nor claim; running tasks get
//! their grace period, and the others return to the queue; event listeners are closed; open requests end; the last dump
//! is written; the database is closed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::{JoinError, JoinHandle};
use tokio_util::sync::CancellationToken;

use super::build::App;
use super::error::Error;
use super::limits::{retention, server_limits};
use crate::api::{self, Api, Hosts, RateLimiter, ServerContext, SocketThread};
use crate::dump::Periodic;
use crate::hive::Hive;
use crate::orchestrator::Orchestrator;
use crate::processors::Registry;
use crate::queue::QueueManager;
use crate::schedules::Scheduler;
use crate::state::{self, Lock, StateManager, WriterHandle};
use crate::systemd;

/// The stages of a shutdown, each cancelled after the one before.
struct Stages {
    /// Starts no more tasks; running tasks get their grace period.
    stopping: CancellationToken,
    /// Refuses submissions and claims; the orchestrator cancels it.
    draining: CancellationToken,
    /// Ends listeners, the server and the background loops.
    closing: CancellationToken,
}

/// The loops whose end is a failure of the service.
struct Vital {
    writer: WriterHandle,
    orchestrator: JoinHandle<Result<(), state::Error>>,
    /// Schedules and reloads.
    scheduler: JoinHandle<((), ())>,
}

/// The loops that end with `closing`.
struct Background {
    server: JoinHandle<()>,
    sockets: SocketThread,
    dumps: JoinHandle<Option<Periodic<StateManager>>>,
    retention: JoinHandle<()>,
    tokens: JoinHandle<()>,
    hive: JoinHandle<()>,
    lock: JoinHandle<Lock>,
    systemd: JoinHandle<()>,
}

impl App {
    /// Serves until `stop`, then shuts down gracefully.
    ///
    /// # Errors
    /// If a vital loop ended, or the database could not be closed.
    pub(crate) async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let stages = Stages {
            stopping: CancellationToken::new(),
            draining: CancellationToken::new(),
            closing: CancellationToken::new(),
        };
        let (state, registry) = (self.state.clone(), Arc::clone(&self.registry));
        let traces = self.traces.clone();
        let (mut vital, background) = self.start(&stop, &stages)?;
        if let Some(reason) = vital.died(&stop).await {
            return Err(Error::Died(reason));
        }
        shut_down(vital, background, &stages, &state, &registry).await?;
        traces.stop().await;
        tracing::info!("stopped");
        Ok(())
    }

    fn start(
        self,
        stop: &CancellationToken,
        stages: &Stages,
    ) -> Result<(Vital, Background), Error> {
        let (queue, commands) = QueueManager::new(self.state.clone());
        let orchestrator = Orchestrator::new(
            self.state.clone(),
            Arc::clone(&self.registry),
            commands,
            self.traces.clone(),
        );
        let orchestrator = tokio::spawn(orchestrator.run(
            stages.stopping.clone(),
            stages.draining.clone(),
            self.settings.shutdown_grace,
        ));
        let scheduler = Scheduler::new(self.state.clone(), self.current.clone());
        let reloading = self.reloader.run(stop.clone());
        let scheduling = scheduler.run(stop.clone());
        let scheduler = tokio::spawn(async { tokio::join!(scheduling, reloading) });
        let sockets = SocketThread::start().map_err(Error::Thread)?;
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
            listeners: sockets.spawner(),
            stopping: stages.draining.clone(),
            closing: stages.closing.clone(),
        });
        let (router, routes) = api::app(api, &self.traces);
        let closing = &stages.closing;
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
            server_limits(&self.settings),
            closing.clone(),
        ));
        let dumps = self.settings.state_dump.then(|| {
            let (interval, changes) = (self.settings.state_dump_interval, self.state.bus().watch());
            Periodic::new(self.state.clone(), self.state_file, interval, changes)
        });
        let retention = {
            let (state, stop) = (self.state.clone(), closing.clone());
            let current = self.current;
            async move { state.keep_small(|| retention(&current.get()), stop).await }
        };
        let tokens = {
            let (tokens, state, stop) = (self.tokens, self.state.clone(), closing.clone());
            async move {
                if let Some(tokens) = tokens {
                    tokens.run(state, stop).await;
                }
            }
        };
        let hive = {
            let (hive, registry, stop) = (self.hive, self.registry, closing.clone());
            async move {
                if let Some(hive) = hive {
                    hive.run(queue, registry, stop).await;
                }
            }
        };
        let files = self.state.health().files().clone();
        let systemd = systemd::report(self.state, stop.clone(), closing.clone());
        let background = Background {
            server,
            sockets,
            dumps: tokio::spawn(dump_periodically(dumps, closing.clone())),
            retention: tokio::spawn(retention),
            tokens: tokio::spawn(tokens),
            hive: tokio::spawn(hive),
            lock: tokio::spawn(self.lock.keep(files, closing.clone())),
            systemd: tokio::spawn(systemd),
        };
        let vital = Vital {
            writer: self.writer,
            orchestrator,
            scheduler,
        };
        Ok((vital, background))
    }
}

impl Vital {
    /// Waits for `stop`, and returns `None`; or for the end of a vital loop, and returns the reason.
    async fn died(&mut self, stop: &CancellationToken) -> Option<String> {
        tokio::select! {
            // `stop` is polled first, because it ends the scheduler too.
            biased;
            () = stop.cancelled() => None,
            ended = &mut self.writer => Some(format!("its writer ended: {}", reason(ended))),
            ended = &mut self.orchestrator => {
                Some(format!("its orchestrator ended: {}", reason(ended)))
            }
            ended = &mut self.scheduler => {
                let ended = ended.map(|_| Ok(()));
                Some(format!("its scheduler ended: {}", reason(ended)))
            }
        }
    }
}

/// Ends all loops, in the order that the head of this file lists.
async fn shut_down(
    vital: Vital,
    background: Background,
    stages: &Stages,
    state: &StateManager,
    registry: &Registry,
) -> Result<(), Error> {
    tracing::info!("shutting down");
    let _ = vital.scheduler.await;
    stages.stopping.cancel();
    if let Ok(Err(error)) = vital.orchestrator.await {
        tracing::error!(%error, "cannot return interrupted tasks to the queue");
    }
    registry.end_leftovers().await;
    stages.closing.cancel();
    let _ = background.server.await;
    background.sockets.close().await;
    let _ = background.hive.await;
    let _ = background.tokens.await;
    let _ = background.retention.await;
    let _ = background.systemd.await;
    if let Ok(Some(mut dumps)) = background.dumps.await
        && let Err(error) = dumps.final_dump().await
    {
        tracing::error!(%error, "cannot write the last dump");
    }
    let closed = state.close().await;
    let _ = vital.writer.await;
    drop(background.lock.await);
    closed?;
    Ok(())
}

/// Writes dumps until `stop`, then returns the writer of dumps for the last one.
async fn dump_periodically(
    dumps: Option<Periodic<StateManager>>,
    stop: CancellationToken,
) -> Option<Periodic<StateManager>> {
    let mut dumps = dumps?;
    dumps.run(stop).await;
    Some(dumps)
}

/// Returns why a loop ended.
fn reason(ended: Result<Result<(), state::Error>, JoinError>) -> String {
    match ended {
        Ok(Ok(())) => "without a reason".to_owned(),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

/// Returns the folder of a file.
fn folder_of(path: &Path) -> PathBuf {
    path.parent()
        .filter(|folder| !folder.as_os_str().is_empty())
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}
