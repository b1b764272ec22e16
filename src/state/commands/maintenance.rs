//! Housekeeping that the retention loop asks for, a small piece at a time.

use sqlx::SqliteConnection;

use crate::models::Timestamp;
use crate::state::error::Error;
use crate::state::schedules::OWN_KEY;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Keys deleted in one transaction.
const CHUNK_KEYS: i64 = 100;
/// Pages given back in one transaction.
const CHUNK_PAGES: i64 = 256;
/// Free pages that stay in the file, for what comes next.
pub(crate) const SPARE_PAGES: i64 = 256;

/// Deletes some idempotency keys of clients from before this time, and returns the count.
pub(crate) struct ForgetKeys(pub(crate) Timestamp);

/// Gives some free pages of the file back, and returns how many are left.
pub(crate) struct ShrinkFile;

impl WriterCommand for ForgetKeys {
    type Answer = u64;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<u64, Error> {
        core.execute(async |conn| forget_keys(conn, self.0).await)
            .await
    }
}

impl WriterCommand for ShrinkFile {
    type Answer = i64;

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<i64, Error> {
        core.execute(async |conn| shrink(conn).await).await
    }
}

async fn forget_keys(conn: &mut SqliteConnection, time: Timestamp) -> Result<u64, Error> {
    let time = time.to_string();
    let own = format!("{OWN_KEY}*");
    let forgotten = sqlx::query!(
        "DELETE FROM idempotency WHERE key IN
             (SELECT key FROM idempotency
               WHERE created_at < ?1 AND key NOT GLOB ?2 ORDER BY created_at LIMIT ?3)",
        time,
        own,
        CHUNK_KEYS
    )
    .execute(conn)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Gives some free pages back, if there are many, and returns how many are left.
async fn shrink(conn: &mut SqliteConnection) -> Result<i64, Error> {
    let free = free_pages(conn).await?;
    if free <= SPARE_PAGES {
        return Ok(free);
    }
    let pages = CHUNK_PAGES.min(free - SPARE_PAGES);
    // A pragma takes no arguments. It answers a row for each page, all of which are to be fetched.
    let pragma = format!("PRAGMA incremental_vacuum({pages})");
    sqlx::query(sqlx::AssertSqlSafe(pragma))
        .fetch_all(&mut *conn)
        .await?;
    free_pages(conn).await
}

async fn free_pages(conn: &mut SqliteConnection) -> Result<i64, Error> {
    let pages = sqlx::query_scalar("PRAGMA freelist_count")
        .fetch_one(conn)
        .await?;
    Ok(pages)
}
