//! Other settings while the Writer runs.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::SqliteConnection;

use crate::models::Timestamp;
use crate::state::commands::journal;
use crate::state::db::meta;
use crate::state::dispatch::limits::Limits;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::journal::starts;
use crate::state::writer::run::Writer;

/// Settings of the queue that have changed.
#[derive(Clone, Debug)]
pub(crate) struct Reconfigured {
    pub(crate) limits: Limits,
    /// For rows that name none themselves.
    pub(crate) default_processor: String,
    /// For rows that say nothing themselves, by processor.
    pub(crate) max_attempts: BTreeMap<String, i64>,
    /// The keys of all settings that were read anew and hold with these.
    pub(crate) applied: Vec<String>,
}

impl Writer {
    /// From now on these settings hold. What runs goes on.
    ///
    /// # Errors
    /// When it could not be stored; then nothing has changed.
    pub(crate) async fn set_limits(&mut self, change: Reconfigured) -> Result<(), Error> {
        let time = Timestamp::now();
        let Reconfigured { limits, .. } = change;
        let data = json!({ "done": "reload", "applied": change.applied });
        let row = JournalEntry::done(self.by.as_deref(), "Settings read again", data);
        self.begin().await?;
        let conn = &mut self.conn;
        let written = async {
            meta::set_defaults(conn, &change.default_processor, &change.max_attempts).await?;
            journal(conn, row.into_iter().collect(), time).await
        };
        let written = written.await;
        let committed = self.end(written).await?;
        self.publish(committed).await;
        let looks_further = limits.rates_look_further_than(self.queue_state.limits());
        self.meters.configure(limits.sites.keys());
        self.queue_state.set_limits(limits);
        if looks_further
            && let Err(error) = recall_starts(&mut self.conn, &mut self.queue_state, None).await
        {
            // The limits hold all the same, from the starts that are known.
            tracing::warn!(%error, "the starts that changed rates look back on could not be read");
        }
        self.more_to_claim = true;
        Ok(())
    }
}

/// Reads the starts that the rates look back on. If the clock is behind the `newest` event, they are as long
/// ago as they were then.
pub(crate) async fn recall_starts(
    conn: &mut SqliteConnection,
    queue_state: &mut QueueState,
    newest: Option<Timestamp>,
) -> Result<(), Error> {
    let Some(period) = queue_state.limits().longest_period() else {
        return Ok(());
    };
    let now = Timestamp::now();
    let latest = newest.map_or(now, |newest| newest.max(now));
    let behind = latest.seconds_since(now);
    let starts = starts::starts_since(conn, latest.before(period), latest).await?;
    queue_state.forget_starts();
    for start in starts {
        let at = start.at.shifted(-behind);
        queue_state.record_start(&start.processor, start.key.as_deref(), at);
    }
    Ok(())
}
