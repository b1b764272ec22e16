//! The wall clock as ARQ writes it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time, in ms.
pub(crate) fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.unwrap_or_default().as_millis() as u64
}
