//! Writes log records to stderr, as lines of text or as one JSON object per line.
//!
//! Above the level debug a record holds no more of a task than its id. This includes panics, whose messages may quote
//! a task's content.

use std::fmt;
use std::io;
use std::panic::{self, PanicHookInfo};

use chrono::Local;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;

use crate::config::LogFormat;

/// The most characters of a panic message that are logged above debug.
const PANIC_MESSAGE_CHARS: usize = 200;

/// Starts logging for the whole process, including panics. Only the first call has an effect.
pub(crate) fn start(format: LogFormat, filter: &str) {
    // The settings have validated the filter; if it fails here, log at info.
    let filter = EnvFilter::builder()
        .parse(filter)
        .unwrap_or_else(|_| EnvFilter::new("info"));
    let records = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        // An error about a closed stderr would be written to stderr, and panic.
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

/// Formats local time as `2026-01-31 12:00:00`.
struct LocalTime;

impl FormatTime for LocalTime {
    fn format_time(&self, writer: &mut Writer<'_>) -> fmt::Result {
        write!(writer, "{}", Local::now().format("%Y-%m-%d %H:%M:%S"))
    }
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let location = panic.location().map(ToString::to_string);
    let location = location.as_deref().unwrap_or("unknown");
    let message = panic.payload_as_str().unwrap_or_default();
    tracing::error!(location, "panicked: {}", unquoted_part(message));
    tracing::debug!(location, "the panic in full: {message}");
}

/// Returns a panic message up to its first quote, which may hold a task's content.
fn unquoted_part(message: &str) -> String {
    let quote = message.find(['`', '"', '\'']).unwrap_or(message.len());
    let words = message[..quote].trim_end();
    words.chars().take(PANIC_MESSAGE_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::unquoted_part;

    #[test]
    fn what_a_panic_quotes_is_left_out() {
        let message = panic_of(|| {
            let _ = &"sécret"[..2];
        });
        assert!(message.contains("cret"), "{message}");
        assert!(!unquoted_part(&message).contains("cret"), "{message}");

        let message = panic_of(|| {
            std::hint::black_box(Err::<(), _>("secret")).expect("it is stored");
        });
        assert_eq!(unquoted_part(&message), "it is stored:");
    }

    fn panic_of(panicking: impl FnOnce() + std::panic::UnwindSafe) -> String {
        let payload = std::panic::catch_unwind(panicking).unwrap_err();
        *payload.downcast::<String>().unwrap()
    }
}
