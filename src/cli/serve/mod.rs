//! `venom serve`: reads the settings, starts logging, builds the service and runs it until a signal.

mod file_limit;
mod greeting;

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::cli::error::Error;
use crate::cli::output::print;
use crate::cli::signals::{ReloadSignals, StopSignals};
use crate::config::{Loaded, LogFormat, Overrides, SettingPlace, Settings, Sources};
use crate::logging;
use greeting::Greeting;

const EXAMPLES: &str = "\
Examples:
  venom serve
  venom serve --port 9000 --database /srv/venom/venom.db
  MAX_CONCURRENT_TASKS=20 venom serve --log-format json

Every setting, also those without a flag, is in venom.example.toml and .env.example.
SIGTERM or Ctrl-C shuts it down: running tasks get VENOM_SHUTDOWN_GRACE (default 30 s) to finish,
the others run again after the next start. A second signal exits immediately; no accepted task is lost.
SIGHUP reloads the configuration.";

/// Run the service: serve the HTTP API and run tasks until Ctrl-C.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ServeArgs {
    /// Listen on this address [env: VENOM_HOST] [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<String>,
    /// Listen on this port; 0 picks a free one [env: VENOM_PORT] [default: 8000]
    #[arg(long)]
    port: Option<String>,
    /// Disable authentication, whatever the address: everybody who reaches the service may do everything
    /// [env: VENOM_AUTH=off]
    #[arg(long)]
    insecure: bool,
    /// Use this database file; created if missing [env: VENOM_DATABASE_PATH] [default: ./data/venom.db]
    #[arg(long, value_name = "FILE")]
    database: Option<PathBuf>,
    /// Import all tasks from this dump at the first start, and write it after changes
    /// [env: STATE_FILE_PATH] [default: ./data/memory/state_dump.json]
    #[arg(long, value_name = "FILE")]
    state_file: Option<PathBuf>,
    /// Run at most this many tasks at the same time [env: MAX_CONCURRENT_TASKS] [default: 5]
    #[arg(long, value_name = "TASKS")]
    max_concurrent: Option<String>,
    /// Write the log as text or json [env: VENOM_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Read the settings from this file [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ServeArgs {
    /// Returns where the settings of this service come from.
    pub(crate) fn sources(&self) -> Sources {
        Sources {
            config_file: self.config.clone(),
            overrides: Overrides {
                host: self.host.clone(),
                port: self.port.clone(),
                insecure: self.insecure,
                database_path: self.database.clone(),
                state_file_path: self.state_file.clone(),
                max_concurrent_tasks: self.max_concurrent.clone(),
                log_format: self.log_format.clone(),
            },
            ..Sources::from_process()
        }
    }

    /// Returns true if a command in the same folder finds this service without `--url`.
    fn is_found_by_its_database(&self, loaded: &Loaded) -> bool {
        let place = loaded.origins.get("database_path");
        self.config.is_none() && !matches!(place, Some(SettingPlace::CommandLine { .. }))
    }
}

/// Runs the service until a signal stops it.
pub(crate) fn run(serve: &ServeArgs) -> Result<(), Error> {
    let loaded = Settings::load(&serve.sources())?;
    logging::start(loaded.settings.log_format, &loaded.settings.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    file_limit::raise_limit(loaded.settings.max_connections);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Failed(format!("cannot start: {error}")))?;
    let log_format = loaded.settings.log_format;
    let served = runtime.block_on(live(serve, loaded));
    // The remaining threads were cancelled and had their grace period.
    runtime.shutdown_background();
    served.map_err(|reason| match log_format {
        LogFormat::Text => Error::Failed(reason),
        LogFormat::Json => {
            tracing::error!("{reason}");
            Error::Logged
        }
    })
}

/// Builds the service and runs it until shutdown. The error is one sentence for the person who started it.
async fn live(serve: &ServeArgs, loaded: Loaded) -> Result<(), String> {
    let stop = CancellationToken::new();
    let signals =
        StopSignals::listen().map_err(|error| format!("cannot receive signals: {error}"))?;
    let reload_signals =
        ReloadSignals::listen().map_err(|error| format!("cannot receive signals: {error}"))?;
    let afterwards = "interrupted tasks run again after the next start";
    tokio::spawn(signals.shut_down(stop.clone(), loaded.settings.log_format, afterwards));

    let by_database = serve.is_found_by_its_database(&loaded);
    let log_format = loaded.settings.log_format;
    let database = loaded.settings.database_path.clone();
    let app = tokio::select! {
        app = App::build(loaded, serve.sources()) => app.map_err(|error| error.to_string())?,
        // The first start may import a large dump.
        () = stop.cancelled() => return Ok(()),
    };
    tokio::spawn(reload_signals.reload(app.reload()));
    let greeting = Greeting::new(app.url(), &database, by_database, app.needs_token());
    match log_format {
        LogFormat::Text => print::say(greeting),
        LogFormat::Json => greeting.log(),
    }
    app.run(stop).await.map_err(|error| error.to_string())
}
