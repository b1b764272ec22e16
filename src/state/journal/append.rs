//! Appends entries to the journal. The Writer's own batches write theirs in `writer/commit`, with the same row.

use sqlx::SqliteConnection;

use crate::models::Timestamp;
use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;

/// Appends entries to the journal, inside the caller's transaction, and returns the id of the first one (0 if
/// there are none). The others follow it without a gap.
pub(crate) async fn append(
    conn: &mut SqliteConnection,
    entries: &[JournalEntry],
    time: Timestamp,
) -> Result<i64, Error> {
    if entries.is_empty() {
        return Ok(0);
    }
    let now = time.to_string();
    let rows: Vec<_> = entries.iter().map(JournalEntry::to_insert).collect();
    let rows = serde_json::to_string(&rows)?;
    let inserted = sqlx::query!(
        "INSERT INTO logs (task_id, type, agent, message, data, at)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                coalesce(value ->> 5, ?2)
           FROM jsonb_each(?1)",
        rows,
        now
    )
    .execute(conn)
    .await?;
    Ok(inserted.last_insert_rowid() - entries.len() as i64 + 1)
}
