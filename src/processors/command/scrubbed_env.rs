//! Variables of the service's environment that its programs do not get: they hold secrets, or speak for the service.
//! A processor's `env` may set them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::sync::{PoisonError, RwLock};

use crate::config::Settings;

/// Scrubbed whatever the settings say. Settings are found under names of any case, so these are too.
const ALWAYS: [&str; 12] = [
    "VENOM_TOKEN",
    "VENOM_TOKEN_FILE",
    "REDIS_PASSWORD",
    "VENOM_REDIS_PASSWORD",
    "VENOM_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    // A process with these can tell systemd that the service is well, or stops.
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

/// The names of the scrubbed variables; the settings add those in which processors have their secrets.
#[derive(Default)]
pub(crate) struct ScrubbedEnv(RwLock<BTreeSet<String>>);

impl ScrubbedEnv {
    /// Adds the variables in which any processor of these settings has a secret. Those of earlier settings stay: the
    /// service has them in its environment until it ends.
    pub(crate) fn configure(&self, settings: &Settings) {
        let processors = settings.processors.values();
        let secrets = processors.filter_map(|processor| processor.kind.secret_variable());
        let names = secrets.map(str::to_owned);
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(names);
    }

    /// Returns the scrubbed variables of the service's environment, as they are spelled.
    pub(crate) fn found(&self) -> Vec<OsString> {
        let of_processors = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let names = std::env::vars_os().map(|(name, _)| name);
        let is_withheld = |name: &OsString| {
            let is = |other: &str| name.eq_ignore_ascii_case(other);
            ALWAYS.into_iter().any(is) || of_processors.iter().any(|other| is(other))
        };
        names.filter(is_withheld).collect()
    }
}
