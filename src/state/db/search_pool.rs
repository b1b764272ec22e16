//! The connections for queries that may take long: filtered lists, searches, and actions on many tasks.
//!
//! They are few and separate from those of all other reads, so a heavy search delays only other searches. SQLite
//! interrupts a search when its client is gone, and at the latest after [`LIMIT`].

use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use sqlx::{Sqlite, SqliteConnection, SqlitePool};

use crate::state::db::open_files::OpenFiles;
use crate::state::error::{Error, FILES_REPLACED};

/// Connections of the pool.
const CONNECTIONS: u32 = 2;
/// Time that a search waits for a free connection.
const PATIENCE: Duration = Duration::from_secs(3);
/// Time limit of a search.
const LIMIT: Duration = Duration::from_secs(10);
/// SQLite instructions between two checks whether to continue: some microseconds.
const STEPS: i32 = 1000;

/// The pool of search connections.
#[derive(Clone)]
pub(crate) struct SearchPool {
    pool: SqlitePool,
    /// The files of the database; `None` for a database in memory.
    files: Option<OpenFiles>,
}

impl SearchPool {
    /// Creates a pool. It opens a connection on first use, and only while `files` are at their paths.
    pub(crate) fn new(options: SqliteConnectOptions, files: Option<OpenFiles>) -> Self {
        let pool = SqlitePoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(PATIENCE)
            .test_before_acquire(false)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_lazy_with(options);
        Self { pool, files }
    }

    /// Returns a connection for one search.
    ///
    /// # Errors
    /// [`Error::TooManySearches`] when no connection is free in time.
    pub(crate) async fn begin(&self) -> Result<SearchConnection, Error> {
        self.begin_within(LIMIT).await
    }

    async fn begin_within(&self, limit: Duration) -> Result<SearchConnection, Error> {
        let opens_another = self.pool.num_idle() == 0 && self.pool.size() < CONNECTIONS;
        if opens_another
            && self
                .files
                .as_ref()
                .is_some_and(|files| files.lost().is_some())
        {
            return Err(Error::Unavailable(FILES_REPLACED.to_owned()));
        }
        let mut conn = self.pool.acquire().await.map_err(|error| match error {
            sqlx::Error::PoolTimedOut => Error::TooManySearches,
            other => other.into(),
        })?;
        let given_up = Arc::new(AtomicBool::new(false));
        let (seen, deadline) = (Arc::clone(&given_up), Instant::now() + limit);
        let goes_on = move || !seen.load(Ordering::Relaxed) && Instant::now() < deadline;
        // This replaces the handler of the previous search.
        let mut handle = conn.lock_handle().await?;
        handle.set_progress_handler(STEPS, goes_on);
        drop(handle);
        Ok(SearchConnection { conn, given_up })
    }

    /// Waits for the running searches and closes all connections.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

/// The connection of one search. Dropping it interrupts the query that still runs on it.
pub(crate) struct SearchConnection {
    conn: PoolConnection<Sqlite>,
    given_up: Arc<AtomicBool>,
}

impl Deref for SearchConnection {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.conn
    }
}

impl DerefMut for SearchConnection {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }
}

impl Drop for SearchConnection {
    fn drop(&mut self) {
        self.given_up.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::task::{Context, Waker};

    use super::*;

    /// Runs a query that never ends.
    async fn search_endlessly(conn: &mut SqliteConnection) -> Result<(), Error> {
        let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                       SELECT count(*) FROM n";
        sqlx::query(endless).fetch_one(conn).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_search_ends_when_its_time_is_over() {
        let searches = SearchPool::new(SqliteConnectOptions::new(), None);
        let mut search = searches
            .begin_within(Duration::ZERO)
            .await
            .expect("a connection");
        let ended = search_endlessly(&mut search).await;
        assert!(matches!(ended, Err(Error::SearchTooLong)), "{ended:?}");
    }

    #[tokio::test]
    async fn a_search_ends_when_its_client_is_gone() {
        let searches = SearchPool::new(SqliteConnectOptions::new(), None);
        for _ in 0..3 * CONNECTIONS {
            let mut search = searches
                .begin_within(Duration::from_hours(1))
                .await
                .expect("a connection");
            let mut running = Box::pin(search_endlessly(&mut search));
            let mut context = Context::from_waker(Waker::noop());
            assert!(running.as_mut().poll(&mut context).is_pending());
        }
        // The connections still work for the next search.
        let mut search = searches.begin().await.expect("a connection");
        sqlx::query("SELECT 1")
            .execute(&mut *search)
            .await
            .expect("an answer");
        drop(search);
        searches.close().await;
    }
}
