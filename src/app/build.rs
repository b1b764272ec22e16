//! Builds the service: binds the port, opens the database, recovers after a crash, creates every part.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::error::Error;
use super::limits::limits;
use crate::access::{self, Access};
use crate::config::{CurrentSettings, Loaded, Settings, Sources};
use crate::doctor::Doctor;
use crate::dump::StateFile;
use crate::hive::Hive;
use crate::metrics::Metrics;
use crate::models::HiveLink;
use crate::orchestrator;
use crate::processors::Registry;
use crate::reload::{ReloadHandle, Reloader};
use crate::state::{self, Lock, Start, StateManager, WriterHandle};
use crate::tls;
use crate::traces::Traces;

/// A service that is built and listens, but does not answer requests yet.
pub(crate) struct App {
    pub(super) settings: Settings,
    pub(super) listener: TcpListener,
    pub(super) address: SocketAddr,
    pub(super) state: StateManager,
    pub(super) writer: WriterHandle,
    /// Held until the end, because one process owns a database.
    pub(super) lock: Lock,
    pub(super) registry: Arc<Registry>,
    pub(super) reloader: Reloader,
    pub(super) reload: ReloadHandle,
    pub(super) current: CurrentSettings,
    pub(super) doctor: Doctor,
    pub(super) state_file: StateFile,
    pub(super) hive: Option<Hive>,
    pub(super) access: Access,
    /// `None` while authentication is disabled.
    pub(super) tokens: Option<access::Watch>,
    /// `None` for plain HTTP.
    pub(super) tls: Option<TlsAcceptor>,
    pub(super) metrics: Metrics,
    pub(super) traces: Traces,
}

impl App {
    /// Binds the port, opens the database, recovers interrupted tasks, and builds every part. A reload reads the
    /// settings from `sources` again.
    ///
    /// # Errors
    /// One sentence for the operator who starts the service.
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
            tracing::warn!(%error, "cannot publish the address; commands on this machine need --url");
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

    /// Returns true if requests need a token.
    pub(crate) fn needs_token(&self) -> bool {
        !self.access.is_open()
    }

    /// Returns the URL at which the service listens.
    pub(crate) fn url(&self) -> String {
        url_of(self.address, self.tls.is_some())
    }

    /// Returns a handle that reloads the configuration.
    pub(crate) fn reload(&self) -> ReloadHandle {
        self.reload.clone()
    }
}

/// Returns the TLS acceptor of the settings; `None` for plain HTTP.
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

/// Returns the valid tokens if authentication is required. A service without a valid token does not start, because
/// nobody could use it.
async fn tokens(
    settings: &Settings,
    address: IpAddr,
    state: &StateManager,
) -> Result<(Option<access::Watch>, Access), Error> {
    if !settings.auth.is_required(address) {
        if !address.to_canonical().is_loopback() {
            tracing::warn!(%address, "authentication is disabled: everybody who reaches this address may do everything");
        }
        return Ok((None, Access::OPEN));
    }
    let Some((watch, access)) = access::Watch::start(state).await? else {
        let database = settings.database_path.clone();
        return Err(Error::NoToken { address, database });
    };
    Ok((Some(watch), access))
}
