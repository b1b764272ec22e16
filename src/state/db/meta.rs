//! The `meta` table: its keys, and what is written there together.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use crate::state::error::Error;
use crate::state::writer::commit;

/// A [`crate::models::Pause`], while the queue is paused.
pub(crate) const PAUSE: &str = "pause";
/// What the imported `state_dump.json` held besides the tasks.
pub(crate) const DUMP_FIELDS: &str = "dump_fields";
/// The processor of tasks that name none.
pub(crate) const DEFAULT_PROCESSOR: &str = "default_processor";
/// A [`crate::models::Pause`] for each processor that starts nothing, by name.
pub(crate) const CLOSED: &str = "closed";
/// The number of attempts of each processor's tasks, by name.
pub(crate) const MAX_ATTEMPTS: &str = "max_attempts";
/// The order to the whole Hive that this service obeyed last, as it was published.
pub(crate) const HIVE_ORDER: &str = "hive_order";
/// Set while tasks may wait whose `run_at` was brought forward because the clock was set back.
pub(crate) const BROUGHT_FORWARD: &str = "brought_forward";
/// The newest journal row whose task the full-text index knows, a number.
pub(crate) const INDEXED_EVENT: &str = "indexed_event";
/// The newest journal row that is counted in the table `stats`, a number.
pub(crate) const STATS_EVENT: &str = "stats_event";

/// What holds for rows that name no processor, or say no number of attempts.
pub(crate) async fn set_defaults(
    conn: &mut SqliteConnection,
    processor: &str,
    max_attempts: &BTreeMap<String, i64>,
) -> Result<(), Error> {
    let processor = serde_json::to_string(processor)?;
    commit::set_meta(&mut *conn, DEFAULT_PROCESSOR, &processor).await?;
    let max_attempts = serde_json::to_string(max_attempts)?;
    commit::set_meta(conn, MAX_ATTEMPTS, &max_attempts).await
}
