//! Counts the PENDING tasks after another program has written, while the Writer goes on.
//!
//! It reads on a connection of its own, from a snapshot that begins between two commits of the Writer.
//! The lanes note what the Writer changes meanwhile, and add it to what was counted. What other programs commit
//! meanwhile changes the version that was read before the snapshot, so that the next count finds it.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::models::{TaskId, Timestamp};
use crate::state::dependencies;
use crate::state::dispatch::lane_heads_sql;
use crate::state::dispatch::lanes::Lanes;
use crate::state::error::Error;

/// The result of a count.
pub(crate) struct Counted {
    pub(crate) lanes: Lanes,
    /// Number of blocked tasks.
    pub(crate) blocked: u64,
    /// Tasks that have dependents and do not exist: another program has deleted them.
    pub(crate) missing: Vec<TaskId>,
}

/// Runs one count after the other.
pub(crate) struct Counter {
    options: SqliteConnectOptions,
    /// Counts elsewhere than on the Writer's thread.
    runtime: Handle,
    /// `None` before the first count, during a count, and after a failure.
    conn: Option<SqliteConnection>,
    count: Option<Count>,
    /// When the next count may begin: counting takes at most a twentieth of the time.
    next_at: Instant,
}

/// A count that is running, or has ended and is not taken over yet.
pub(crate) struct Count {
    task: JoinHandle<(SqliteConnection, Result<Counted, Error>)>,
    pub(crate) ended: Option<Result<Counted, Error>>,
    pub(crate) begun: Instant,
    /// The `data_version` before it began.
    pub(crate) version: i64,
    /// The number of blocked tasks in the queue state when it began.
    pub(crate) blocked: u64,
}

impl Counter {
    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            runtime: Handle::current(),
            conn: None,
            count: None,
            next_at: Instant::now(),
        }
    }

    pub(crate) fn is_counting(&self) -> bool {
        self.count.is_some()
    }

    /// Resolves when the running count has ended. It is cancel-safe.
    pub(crate) async fn ended(&mut self) {
        let Some(count) = &mut self.count else {
            return;
        };
        if count.ended.is_some() {
            return;
        }
        count.ended = Some(match (&mut count.task).await {
            Ok((conn, counted)) => {
                // After a failure the connection is opened again, whatever state it was in.
                self.conn = counted.is_ok().then_some(conn);
                counted
            }
            Err(error) => Err(Error::Unavailable(error.to_string())),
        });
    }

    /// Whether a count may begin.
    pub(crate) fn may_begin(&self) -> bool {
        self.count.is_none() && Instant::now() >= self.next_at
    }

    pub(crate) async fn begin(&mut self, version: i64, blocked: u64) -> Result<(), Error> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.options.connect().await?,
        };
        let begun = Instant::now();
        sqlx::query("BEGIN").execute(&mut conn).await?;
        // The snapshot begins with the first read.
        sqlx::query("SELECT count(*) FROM meta")
            .execute(&mut conn)
            .await?;
        let task = self.runtime.spawn(async move {
            let counted = count(&mut conn).await;
            (conn, counted)
        });
        self.count = Some(Count {
            task,
            ended: None,
            begun,
            version,
            blocked,
        });
        Ok(())
    }

    /// Rests for twenty times as long as a count took that began at `begun`.
    pub(crate) fn rest_since(&mut self, begun: Instant) {
        self.next_at = Instant::now() + begun.elapsed() * 20;
    }

    /// Takes the count that has ended.
    pub(crate) async fn take_if_ended(&mut self) -> Option<Count> {
        if self.count.as_ref()?.task.is_finished() {
            self.ended().await;
        }
        self.count.take_if(|count| count.ended.is_some())
    }

    /// Waits for the running count, so that nothing holds a snapshot any more.
    pub(crate) async fn close(&mut self) {
        self.ended().await;
        if let Some(conn) = self.conn.take() {
            let _ = conn.close().await;
        }
    }
}

async fn count(conn: &mut SqliteConnection) -> Result<Counted, Error> {
    let (lanes, blocked) = lane_heads_sql::count_pending(&mut *conn, Timestamp::now()).await?;
    let missing = dependencies::missing(&mut *conn).await?;
    sqlx::query("COMMIT").execute(conn).await?;
    Ok(Counted {
        lanes,
        blocked,
        missing,
    })
}
