//! Applies changed settings of the queue while the service runs. Running tasks continue.

use std::collections::BTreeMap;

use serde_json::json;
use sqlx::SqliteConnection;

use crate::models::Timestamp;
use crate::state::db::meta;
use crate::state::dispatch::limits::Limits;
use crate::state::dispatch::queue_state::QueueState;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::journal::starts;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// The settings of the queue after a reload.
#[derive(Clone, Debug)]
pub(crate) struct Reconfigured {
    pub(crate) limits: Limits,
    /// For rows that name none themselves.
    pub(crate) default_processor: String,
    /// For rows that say nothing themselves, by processor.
    pub(crate) max_attempts: BTreeMap<String, i64>,
    /// The keys of all settings that the reload has applied.
    pub(crate) applied: Vec<String>,
}

impl WriterCommand for Box<Reconfigured> {
    type Answer = ();

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<(), Error> {
        let Reconfigured {
            limits,
            default_processor,
            max_attempts,
            applied,
        } = *self;
        let data = json!({ "done": "reload", "applied": applied });
        let entry = JournalEntry::done(actor, "Configuration reloaded", data);
        let written = core.transact(Timestamp::now(), async |conn| {
            meta::set_defaults(conn, &default_processor, &max_attempts).await?;
            Ok(((), entry.into_iter().collect()))
        });
        let ((), committed) = written.await?;
        core.publish(committed).await;
        let looks_further = limits.rates_look_further_than(core.queue.limits());
        core.meters.configure(limits.sites.keys());
        core.queue.set_limits(limits);
        if looks_further
            && let Err(error) = recall_starts(&mut core.db.conn, &mut core.queue, None).await
        {
            // The limits are in force all the same. They count the starts that are known.
            tracing::warn!(%error, "the starts before the reload could not be read; changed rate limits count only later ones");
        }
        core.more_to_claim = true;
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
