//! Other settings while the Writer runs.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::ledger::Ledger;
use super::limits::Limits;
use super::transaction::{begin, end};
use super::writer::Writer;
use super::{Error, history, meta};
use crate::models::Timestamp;

impl Writer {
    /// From now on these limits hold, and this for rows that say nothing themselves. What runs goes on.
    ///
    /// # Errors
    /// When it could not be stored; then nothing has changed.
    pub(super) async fn set_limits(
        &mut self,
        limits: Limits,
        default_processor: &str,
        max_attempts: &BTreeMap<String, i64>,
    ) -> Result<(), Error> {
        let conn = &mut self.conn;
        begin(conn).await?;
        let written = meta::set_defaults(conn, default_processor, max_attempts).await;
        end(&mut self.conn, written).await?;
        let looks_further = limits.rates_look_further_than(self.ledger.limits());
        self.meters.configure(limits.homes.keys());
        self.ledger.set_limits(limits);
        if looks_further && let Err(error) = recall_starts(&mut self.conn, &mut self.ledger).await {
            // The limits hold all the same, from the starts that are known.
            tracing::warn!(%error, "the starts that changed rates look back on could not be read");
        }
        self.more_to_claim = true;
        Ok(())
    }
}

/// Reads the starts that the rates look back on.
pub(super) async fn recall_starts(
    conn: &mut SqliteConnection,
    ledger: &mut Ledger,
) -> Result<(), Error> {
    let Some(period) = ledger.limits().longest_period() else {
        return Ok(());
    };
    let since = Timestamp::now().before(period);
    let starts = history::starts_since(conn, since).await?;
    ledger.forget_starts();
    for start in starts {
        ledger.remember_start(&start.processor, start.key.as_deref(), start.at);
    }
    Ok(())
}
