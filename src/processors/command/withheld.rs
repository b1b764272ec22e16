//! Variables of the service's own environment that its scripts do not get: they hold secrets, or speak for
//! the service. A processor's `env` may set them all the same.

use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock};

use crate::config::Settings;

/// Those that are withheld whatever the settings say.
const ALWAYS: [&str; 11] = [
    "VENOM_TOKEN",
    "VENOM_TOKEN_FILE",
    "REDIS_PASSWORD",
    "VENOM_REDIS_PASSWORD",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    // Whoever has these can tell systemd that the service is well, or stops.
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// The names of these variables; those that processors have their secrets in change with the settings.
#[derive(Default)]
pub(in crate::processors) struct Withheld(RwLock<BTreeSet<String>>);

impl Withheld {
    /// From now on also those where any processor of these settings finds a secret.
    pub fn configure(&self, settings: &Settings) {
        let processors = settings.processors.values();
        let secrets = processors.filter_map(|processor| processor.kind.secret_variable());
        let names = secrets.map(str::to_owned).collect();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// All of them.
    pub fn names(&self) -> Vec<String> {
        let of_processors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let always = ALWAYS.iter().copied().map(str::to_owned);
        always.chain(of_processors.iter().cloned()).collect()
    }
}
