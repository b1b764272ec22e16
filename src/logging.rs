//! Log records on stderr: lines for people, or one JSON object a line.
//!
//! A record never holds more of a task than its id at the levels above debug. That goes for panics
//! too, whose messages quote what they stumbled over.

use std::fmt;
use std::io;
use std::panic::{self, PanicHookInfo};

use chrono::Local;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::config::LogFormat;

/// Characters of a panic's message that are logged above debug.
const PANIC_MESSAGE_CHARS: usize = 200;

/// Starts logging for the whole process, panics included; `filter` is what the settings say.
///
/// Only the first call counts.
pub(crate) fn start(format: LogFormat, filter: &str) {
    // The settings have checked it; if that ever goes wrong, too much is better than nothing.
    let filter = EnvFilter::builder()
        .parse(filter)
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let records = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        // It would complain on stderr about stderr, and panic when that is closed.
        .log_internal_errors(false);
    let _ = match format {
        LogFormat::Text => {
            let records = records.with_target(false).with_timer(LocalTime);
            tracing::subscriber::set_global_default(records.finish())
        }
        LogFormat::Json => {
            let records = records.json().flatten_event(true);
            let records = records.with_current_span(false).with_span_list(false);
            tracing::subscriber::set_global_default(records.finish())
        }
    };
    panic::set_hook(Box::new(log_panic));
}

/// `2026-01-31 12:00:00`, by the clock on the wall.
struct LocalTime;

impl FormatTime for LocalTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Local::now().format("%Y-%m-%d %H:%M:%S"))
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let location = location.as_deref().unwrap_or("an unknown place");
    let message = panic.payload_as_str().unwrap_or_default();
    tracing::error!(location, "panicked: {}", own_words(message));
    tracing::debug!(location, "the panic in full: {message}");
}

/// A panic's message up to the first thing it quotes, which may be a task's content.
fn own_words(message: &str) -> String {
    let quote = message.find(['`', '"', '\'']).unwrap_or(message.len());
    let words = message[..quote].trim_end();
    words.chars().take(PANIC_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::own_words;

    #[test]
    fn what_a_panic_quotes_is_left_out() {
        let message = panic_of(|| {
            let _ = &"sécret"[..2];
        });
        assert!(message.contains("cret"), "{message}");
        assert!(!own_words(&message).contains("cret"), "{message}");

        let message = panic_of(|| {
            std::hint::black_box(Err::<(), _>("secret")).expect("it is stored");
        });
        assert_eq!(own_words(&message), "it is stored:");
    }

    fn panic_of(panicking: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = std::panic::catch_unwind(panicking).unwrap_err();
        *payload.downcast::<String>().unwrap()
    }
}
