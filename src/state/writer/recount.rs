//! The count of the waiting tasks after another program has written, while the Writer goes on.
//!
//! It reads on a connection of its own, from a snapshot that begins between two commits of the Writer's.
//! What the Writer changes from then on is noted ([`crate::state::dispatch::lanes::Lanes::note_changes`]) and added to
//! what was counted. What other programs commit from then on changes the version that was read before
//! the snapshot, so that they are counted the next time.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::models::{TaskId, Timestamp};
use crate::state::dependencies;
use crate::state::dispatch::lane_heads_sql;
use crate::state::dispatch::lanes::Lanes;
use crate::state::error::Error;
use crate::state::writer::run::Writer;

/// What was counted.
struct Counted {
    lanes: Lanes,
    /// Tasks that wait for others.
    blocked: u64,
    /// Tasks that are waited for and are not there: another program has deleted them.
    missing: Vec<TaskId>,
}

/// TaskCounts waiting tasks, one time after the other.
pub(crate) struct Counter {
    options: SqliteConnectOptions,
    /// None before the first count, while it counts, and after a failure.
    conn: Option<SqliteConnection>,
    count: Option<Count>,
}

/// A count that is under way, or has ended and is not taken yet.
struct Count {
    task: JoinHandle<(SqliteConnection, Result<Counted, Error>)>,
    ended: Option<Result<Counted, Error>>,
    begun: Instant,
    /// The database's version before it began.
    version: i64,
    /// How many tasks were thought to wait for others when it began.
    blocked: u64,
}

impl Counter {
    pub(crate) fn new(options: SqliteConnectOptions) -> Self {
        Self {
            options,
            conn: None,
            count: None,
        }
    }

    pub(crate) fn is_counting(&self) -> bool {
        self.count.is_some()
    }

    /// Resolves when the count under way has ended; it may be dropped before.
    pub(crate) async fn ended(&mut self) {
        let Some(count) = &mut self.count else {
            return;
        };
        if count.ended.is_some() {
            return;
        }
        count.ended = Some(match (&mut count.task).await {
            Ok((conn, counted)) => {
                // One that has failed is opened anew, whatever state it was in.
                self.conn = counted.is_ok().then_some(conn);
                counted
            }
            Err(error) => Err(Error::Unavailable(error.to_string())),
        });
    }

    async fn begin(&mut self, version: i64, blocked: u64) -> Result<(), Error> {
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
        let task = tokio::spawn(async move {
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

    async fn take_if_ended(&mut self) -> Option<Count> {
        if self.count.as_ref()?.task.is_finished() {
            self.ended().await;
        }
        self.count.take_if(|count| count.ended.is_some())
    }

    /// Waits for the count under way, so that nothing holds a snapshot any more.
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

impl Writer {
    /// Notices what other programs have committed: new tasks, edits, journal rows.
    ///
    /// # Errors
    /// Only [`Error::Corrupt`].
    pub(crate) async fn look_outside(&mut self) -> Result<(), Error> {
        if self.counter.is_counting() || Instant::now() < self.next_count {
            return Ok(());
        }
        let begun = self.count_if_changed().await;
        only_fatal(begun)
    }

    async fn count_if_changed(&mut self) -> Result<(), Error> {
        let version: i64 = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut self.conn)
            .await?;
        // A count may open a connection, which must not find another file.
        if version != self.data_version && self.health.lost_file().is_none() {
            self.counter
                .begin(version, self.queue_state.blocked)
                .await?;
            self.queue_state.lanes.start_noting();
        }
        Ok(())
    }

    /// From now on the queue state is what was counted, with what the Writer has changed since.
    ///
    /// # Errors
    /// Only [`Error::Corrupt`].
    pub(crate) async fn take_count(&mut self) -> Result<(), Error> {
        let Some(count) = self.counter.take_if_ended().await else {
            return Ok(());
        };
        let taken = match count.ended {
            Some(Ok(counted)) => {
                self.queue_state.lanes.replace(counted.lanes);
                if (self.times_forgotten).is_some_and(|time| time >= count.begun) {
                    self.queue_state.lanes.forget_times();
                }
                let blocked = counted.blocked + self.queue_state.blocked;
                self.queue_state.blocked = blocked.saturating_sub(count.blocked);
                self.data_version = count.version;
                self.look_at_foreign(counted.missing).await
            }
            Some(Err(error)) => {
                self.queue_state.lanes.stop_noting();
                Err(error)
            }
            None => Ok(()),
        };
        self.next_count = Instant::now() + count.begun.elapsed() * 20;
        only_fatal(taken)
    }
}

impl Writer {
    async fn look_at_foreign(&mut self, missing: Vec<TaskId>) -> Result<(), Error> {
        self.publish_outside().await?;
        if Instant::now() >= self.importing_until {
            self.fail_missing(missing).await?;
        }
        Ok(())
    }
}

fn only_fatal(looked: Result<(), Error>) -> Result<(), Error> {
    match looked {
        Err(error @ Error::Corrupt(_)) => Err(error),
        Err(error) => {
            tracing::debug!(%error, "the database cannot be read");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}
