//! The stored counts: the Writer writes them in its spare time and completes them from the journal at startup.

use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::SqliteConnection;
use tokio::time::Instant;

use super::Stats;
use super::tally::Step;
use crate::models::Timestamp;
use crate::state::db::meta;
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::journal::events;
use crate::state::stats::tally::Happened;

/// Time until changed counts are stored.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// Journal rows to count at startup at most: those of the heaviest load since the counts were stored.
const ROWS: i64 = 200_000;

impl Stats {
    /// Loads the stored counts and adds those of the later journal rows.
    pub(crate) async fn recall(conn: &mut SqliteConnection) -> Result<Self, Error> {
        let stats = Self::default();
        let stored =
            sqlx::query!(r#"SELECT step_seconds, at, counts AS "counts!: Text" FROM stats"#)
                .fetch_all(&mut *conn)
                .await?;
        for row in stored {
            // A step that another program has damaged is lost, the others are not.
            if let Ok(step) = serde_json::from_str::<Step>(&row.counts) {
                stats.lock().steps.insert((row.step_seconds, row.at), step);
            }
        }
        let counted = meta::get(&mut *conn, meta::STATS_EVENT).await?;
        let counted = counted.and_then(|id| id.parse().ok()).unwrap_or(0);
        let newest = events::newest_event(&mut *conn).await?;
        stats
            .count_journal(conn, counted.max(newest - ROWS), newest)
            .await?;
        stats.lock().counted = counted;
        Ok(stats)
    }

    /// Counts what the journal says after row `after`, up to row `upto`. It does not say since when a task was
    /// due that waited for others, was held off or interrupted, so these waits are left out.
    async fn count_journal(
        &self,
        conn: &mut SqliteConnection,
        after: i64,
        upto: i64,
    ) -> Result<(), Error> {
        let oldest = Timestamp::now()
            .before(Duration::from_hours(24))
            .to_string();
        let mut rows = sqlx::query!(
            r#"SELECT logs.type AS "kind!: Text", logs.at AS "at!: Text",
                      iif(logs.type = 'TASK_STARTED' AND tasks.started_at = logs.at
                              AND tasks.upstream IS NULL AND tasks.uncounted = 0
                              AND tasks.source <> 'import',
                          tasks.run_at, NULL) AS "due: Text",
                      iif(logs.type <> 'TASK_STARTED' AND tasks.finished_at = logs.at
                              AND tasks.failure IS NOT 'purged',
                          tasks.started_at, NULL) AS "began: Text"
                 FROM logs LEFT JOIN tasks
                   ON logs.type IN ('TASK_CREATED', 'TASK_STARTED', 'TASK_COMPLETED', 'TASK_FAILED',
                                    'TASK_ABORTED')
                      AND tasks.id = logs.task_id
                WHERE logs.id > ?1 AND logs.id <= ?2 AND logs.at >= ?3
                  AND NOT (logs.type = 'TASK_CREATED' AND tasks.source IS 'import')
                ORDER BY logs.id"#,
            after,
            upto,
            oldest
        )
        .fetch(conn);
        while let Some(row) = rows.try_next().await? {
            let Ok(at) = row.at.parse::<Timestamp>() else {
                continue;
            };
            let kind = row.kind.parse().ok().and_then(Happened::of);
            let since = |time: Option<Text>| Some(at.seconds_since(time?.parse().ok()?));
            let waited = since(row.due).map(Happened::waited);
            let ran = since(row.began).map(Happened::ran);
            let happened: Vec<_> = [kind, waited, ran].into_iter().flatten().collect();
            if !happened.is_empty() {
                self.lock().count_at(at, &happened);
            }
        }
        Ok(())
    }
}

/// Counts that are to be stored.
pub(crate) struct UnstoredCounts {
    /// JSON lists.
    changed: String,
    gone: String,
    head: i64,
}

impl Stats {
    /// When counts are due to be stored.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.lock().due
    }

    /// Puts the next try off, after one has failed.
    pub(crate) fn store_later(&self) {
        self.lock().due = Some(Instant::now() + INTERVAL);
    }

    /// The counts to store, with everything that was committed up to event `head`; `None` if nothing has changed.
    pub(crate) fn unstored(&self, head: i64) -> Result<Option<UnstoredCounts>, Error> {
        let mut series = self.lock();
        series.drop_unused(Timestamp::now(), Instant::now());
        if series.unstored.is_empty() && series.gone.is_empty() && series.counted >= head {
            return Ok(None);
        }
        let steps = series.unstored.iter().filter_map(|place| {
            let (length, at) = place;
            series.steps.get(place).map(|step| (*length, *at, step))
        });
        Ok(Some(UnstoredCounts {
            changed: serde_json::to_string(&steps.collect::<Vec<_>>())?,
            gone: serde_json::to_string(&series.gone)?,
            head,
        }))
    }

    /// Notes that everything is stored up to event `head`. The Writer alone counts, so nothing was added meanwhile.
    pub(crate) fn stored(&self, head: i64) {
        let mut series = self.lock();
        series.unstored.clear();
        series.gone.clear();
        series.counted = head;
        series.due = None;
    }
}

impl UnstoredCounts {
    /// Writes the counts, inside the caller's transaction.
    pub(crate) async fn write(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        write_steps(conn, &self.changed, &self.gone, self.head).await
    }
}

/// Writes the steps `steps` and deletes the steps `gone` (JSON lists), inside the caller's transaction.
async fn write_steps(
    conn: &mut SqliteConnection,
    steps: &str,
    gone: &str,
    counted: i64,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT OR REPLACE INTO stats (step_seconds, at, counts)
         SELECT value ->> 0, value ->> 1, value -> 2 FROM jsonb_each(?1)",
        steps
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "DELETE FROM stats WHERE (step_seconds, at) IN (SELECT value ->> 0, value ->> 1 FROM jsonb_each(?1))",
        gone
    )
    .execute(&mut *conn)
    .await?;
    meta::set(conn, meta::STATS_EVENT, &counted.to_string()).await
}
