//! Processors that start nothing though the queue does: paused by somebody, or on hold because their own
//! service asked for a pause. Both end by themselves if they have a time for it, and survive a restart.

use std::collections::HashMap;

use serde_json::json;
use sqlx::SqliteConnection;

use crate::models::{EventType, Pause, Timestamp};
use crate::state::db::meta;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;

/// The pauses of processors, by name.
pub(crate) type PausedProcessors = HashMap<String, Pause>;

/// Reads the pauses that have not ended by `now`.
pub(crate) async fn recall(
    conn: &mut SqliteConnection,
    now: Timestamp,
) -> Result<PausedProcessors, Error> {
    let Some(paused) = meta::get(conn, meta::PAUSED_PROCESSORS).await? else {
        return Ok(PausedProcessors::new());
    };
    let mut paused: PausedProcessors = serde_json::from_str(&paused)?;
    for pause in paused.values_mut() {
        *pause = pause.clone().begun_by(now);
    }
    paused.retain(|_, pause| pause.is_active_at(now));
    Ok(paused)
}

/// Stores all pauses of processors, inside the caller's transaction.
pub(crate) async fn store(
    conn: &mut SqliteConnection,
    paused: &PausedProcessors,
) -> Result<(), Error> {
    meta::set(
        conn,
        meta::PAUSED_PROCESSORS,
        &serde_json::to_string(paused)?,
    )
    .await
}

/// The journal entry that says that a processor is on hold.
pub(crate) fn hold_entry(processor: &str, hold: &Pause) -> JournalEntry {
    let until = hold
        .until
        .map(|until| until.to_string())
        .unwrap_or_default();
    let data = json!({ "level": "WARNING", "processor": processor, "until": hold.until });
    let words = format!("Processor {processor} starts nothing until {until}");
    JournalEntry::of_queue(EventType::SystemLog, &words, data)
}
