//! The first SIGTERM or SIGINT stops the service cleanly, the second at once. SIGHUP has it read its
//! settings again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::cli::output::print;
use crate::config::LogFormat;
use crate::reload::Reload;

/// The two signals that ask for a stop.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// From here on the signals no longer end the process by themselves.
    pub(crate) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Cancels `stop` at the first signal; never returns from the second. `afterwards` says what becomes of
    /// what is interrupted then.
    pub(crate) async fn obey(
        mut self,
        stop: CancellationToken,
        log_format: LogFormat,
        afterwards: &str,
    ) {
        self.next().await;
        inform(
            log_format,
            "Stopping: what runs may finish. Once more ends it at once.",
        );
        stop.cancel();
        self.next().await;
        inform(
            log_format,
            &format!("Ended at once. Nothing accepted is lost: {afterwards}."),
        );
        std::process::exit(1);
    }

    /// Waits for the next of the two.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// The signal that asks for a reload.
pub(crate) struct HangUps(Signal);

impl HangUps {
    /// From here on the signal no longer ends the process; one that comes before anybody obeys is kept.
    pub(crate) fn listen() -> io::Result<Self> {
        signal(SignalKind::hangup()).map(Self)
    }

    /// Reloads at each signal, as long as the process lives.
    pub(crate) async fn obey(mut self, reload: Reload) {
        while self.0.recv().await.is_some() {
            if let Err(error) = reload.reload().await {
                tracing::error!(%error, "the settings stay as they are");
            }
        }
    }
}

fn inform(log_format: LogFormat, words: &str) {
    match log_format {
        LogFormat::Text => print::say(words),
        LogFormat::Json => tracing::warn!("{words}"),
    }
}
