//! The signals of a long-running command. The first SIGTERM or SIGINT shuts it down gracefully, the second ends it
//! immediately; SIGHUP reloads the configuration.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::output::print;
use crate::config::LogFormat;
use crate::reload::ReloadHandle;

/// SIGINT and SIGTERM.
pub(crate) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

impl StopSignals {
    /// Installs the handlers. From here on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Cancels `stop` at the first signal and exits the process at the second. `afterwards` is the sentence that
    /// says when interrupted work runs again.
    pub(crate) async fn shut_down(
        mut self,
        stop: CancellationToken,
        log_format: LogFormat,
        afterwards: &str,
    ) {
        self.next().await;
        inform(
            log_format,
            "Shutting down; waiting for running tasks. Press Ctrl-C again to exit immediately.",
        );
        stop.cancel();
        self.next().await;
        inform(
            log_format,
            &format!("Exiting immediately. No accepted task is lost: {afterwards}."),
        );
        std::process::exit(1);
    }

    /// Waits for the next signal.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGHUP.
pub(crate) struct ReloadSignals(Signal);

impl ReloadSignals {
    /// Installs the handler. A signal that arrives before [`Self::reload`] runs is kept.
    pub(crate) fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Reloads the configuration at each signal; never returns.
    pub(crate) async fn reload(mut self, handle: ReloadHandle) {
        while self.0.recv().await.is_some() {
            if let Err(error) = handle.reload().await {
                tracing::error!(%error, "reload failed; the configuration is unchanged");
            }
        }
    }
}

fn inform(log_format: LogFormat, message: &str) {
    match log_format {
        LogFormat::Text => print::say(message),
        LogFormat::Json => tracing::warn!("{message}"),
    }
}
