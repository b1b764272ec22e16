//! The SQL that finds tasks by a filter: row numbers first, page by page, then the tasks themselves.
//!
//! A page goes along an index in the order in which it is wanted, so that it stops when it is full and
//! nothing is sorted: failed tasks by `tasks_failed`, those of a session by `tasks_by_session`, words by
//! the full-text index, all others by the row number. Only few open tasks are found by `tasks_open` and
//! sorted; many are met soon enough on the way along the row numbers.

use sqlx::{Connection, SqliteConnection};

use crate::models::{Order, Task, TaskFilter, TaskStatus};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::{fts_query, tasks};

/// Open tasks of one status up to which they are sorted.
const SORTED_LIMIT: i64 = 10_000;

/// A page of tasks that pass a filter.
pub(crate) struct Page {
    pub(crate) tasks: Vec<Task>,
    /// Behind which row number the next page begins, if there is more.
    pub(crate) next: Option<i64>,
    /// How many tasks there are on all pages, where that is quickly counted.
    pub(crate) total: Option<i64>,
}

/// Which rows are meant, and how they are found.
struct Search<'a> {
    way: Way,
    filter: &'a TaskFilter,
    status: Option<&'static str>,
    failure: Option<&'static str>,
    since: Option<String>,
    until: Option<String>,
}

/// The index that a page goes along.
enum Way {
    /// An expression of the full-text search.
    Words(String),
    Failed,
    Session(String),
    /// Sorted.
    Open(&'static str),
    RowNumber,
}

/// A task that passed a filter, as far as it matters whether it still does.
pub(crate) struct Found {
    pub(crate) seq: i64,
    pub(crate) finished_at: Option<String>,
}

struct FoundRow {
    seq: i64,
    finished_at: Option<Text>,
}

/// A page beyond row `cursor` with at most `limit` tasks, if wanted with their logs; fewer where they are large.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    order: Order,
    cursor: Option<i64>,
    limit: u32,
    with_logs: bool,
) -> Result<Page, Error> {
    // One transaction, so that no task changes between being found and being read.
    let mut snapshot = conn.begin().await?;
    let limit = i64::from(limit);
    let found = find(&mut snapshot, filter, order, cursor, i64::MAX, limit + 1).await?;
    let mut seqs: Vec<i64> = found.iter().map(|task| task.seq).collect();
    let fitting = tasks::rows_of_a_page(&mut snapshot, &seqs, with_logs)
        .await?
        .min(limit) as usize;
    let has_more = fitting < seqs.len();
    seqs.truncate(fitting);
    let tasks = tasks::tasks_at(&mut snapshot, &seqs, order, with_logs).await?;
    let total = match filter.is_status_alone() {
        true => Some(count(&mut snapshot, filter.status).await?),
        false => None,
    };
    Ok(Page {
        tasks,
        next: seqs.last().copied().filter(|_| has_more),
        total,
    })
}

/// Up to `limit` tasks that pass the filter, beyond row `cursor`, none that arrived after row `upto`.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    order: Order,
    cursor: Option<i64>,
    upto: i64,
    limit: i64,
) -> Result<Vec<Found>, Error> {
    let search = Search::new(conn, filter).await?;
    let rows = match order {
        Order::NewestFirst => {
            let before = cursor.unwrap_or(i64::MAX).min(upto.saturating_add(1));
            search.newest_before(conn, before, limit).await?
        }
        Order::OldestFirst => {
            let after = cursor.unwrap_or(0);
            search.oldest_after(conn, after, upto, limit).await?
        }
    };
    let found = rows.into_iter().map(|row| Found {
        seq: row.seq,
        finished_at: row.finished_at.map(String::from),
    });
    Ok(found.collect())
}

/// The rows that come `$from` somewhere and pass the filter; `?1` to `?3` are the caller's.
macro_rules! query_found {
    ($from:literal, $order:literal, $search:expr, $way:expr, $edge:expr, $upto:expr, $limit:expr) => {
        sqlx::query_as!(
            FoundRow,
            r#"SELECT tasks.seq AS "seq!: i64",
                      tasks.finished_at AS "finished_at: Text"
                 FROM "#
                + $from
                + r#"
                  AND (?4 IS NULL OR +tasks.status = ?4)
                  AND (?5 IS NULL OR tasks.processor = ?5)
                  AND (?6 IS NULL OR CASE WHEN tasks.tags <> '[]' AND json_valid(tasks.tags)
                       THEN EXISTS (SELECT 1 FROM json_each(tasks.tags) WHERE value = ?6) END)
                  AND (?7 IS NULL OR +tasks.session_id = ?7)
                  AND (?8 IS NULL OR tasks.failure = ?8)
                  AND (?9 IS NULL OR tasks.created_at >= ?9)
                  AND (?10 IS NULL OR tasks.created_at < ?10)
                ORDER BY "#
                + $order
                + " LIMIT ?11",
            $way,
            $edge,
            $upto,
            $search.status,
            $search.filter.processor,
            $search.filter.tag,
            $search.filter.session_id,
            $search.failure,
            $search.since,
            $search.until,
            $limit
        )
    };
}

impl<'a> Search<'a> {
    async fn new(conn: &mut SqliteConnection, filter: &'a TaskFilter) -> Result<Self, Error> {
        let is_failed = filter.failure.is_some() || filter.status == Some(TaskStatus::Failed);
        let way = if let Some(typed) = &filter.words {
            Way::Words(fts_query::expression(typed))
        } else if let Some(session) = &filter.session_id {
            Way::Session(session.clone())
        } else if is_failed {
            Way::Failed
        } else {
            match filter.status.filter(|status| !status.is_final()) {
                Some(status) if has_few(conn, status).await? => Way::Open(status.as_str()),
                _ => Way::RowNumber,
            }
        };
        Ok(Self {
            way,
            filter,
            status: filter.status.map(TaskStatus::as_str),
            failure: filter.failure.map(|failure| failure.as_str()),
            since: filter.since.map(|time| time.to_string()),
            until: filter.until.map(|time| time.to_string()),
        })
    }

    async fn newest_before(
        &self,
        conn: &mut SqliteConnection,
        before: i64,
        limit: i64,
    ) -> Result<Vec<FoundRow>, Error> {
        let none = None::<i64>;
        Ok(match &self.way {
            Way::Words(words) => {
                query_found!(
                    "tasks_fts CROSS JOIN tasks ON tasks.seq = tasks_fts.rowid
                    WHERE tasks_fts MATCH ?1 AND tasks_fts.rowid < ?2 AND ?3 IS NULL",
                    "tasks_fts.rowid DESC",
                    self,
                    words,
                    before,
                    none,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::Session(session) => {
                query_found!(
                    "tasks INDEXED BY tasks_by_session
                    WHERE tasks.session_id = ?1 AND tasks.seq < ?2 AND ?3 IS NULL",
                    "tasks.seq DESC",
                    self,
                    session,
                    before,
                    none,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::Failed => {
                query_found!(
                    "tasks INDEXED BY tasks_failed
                    WHERE tasks.status = 'FAILED' AND ?1 IS NULL AND tasks.seq < ?2 AND ?3 IS NULL",
                    "tasks.seq DESC",
                    self,
                    none,
                    before,
                    none,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::Open(status) => {
                query_found!(
                    "tasks INDEXED BY tasks_open
                    WHERE tasks.finished_at IS NULL AND tasks.status = ?1 AND tasks.seq < ?2
                      AND ?3 IS NULL",
                    "tasks.seq DESC",
                    self,
                    status,
                    before,
                    none,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::RowNumber => {
                query_found!(
                    "tasks NOT INDEXED WHERE ?1 IS NULL AND tasks.seq < ?2 AND ?3 IS NULL",
                    "tasks.seq DESC",
                    self,
                    none,
                    before,
                    none,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
        })
    }

    async fn oldest_after(
        &self,
        conn: &mut SqliteConnection,
        after: i64,
        upto: i64,
        limit: i64,
    ) -> Result<Vec<FoundRow>, Error> {
        let none = None::<i64>;
        Ok(match &self.way {
            Way::Words(words) => {
                query_found!(
                    "tasks_fts CROSS JOIN tasks ON tasks.seq = tasks_fts.rowid
                    WHERE tasks_fts MATCH ?1 AND tasks_fts.rowid > ?2 AND tasks_fts.rowid <= ?3",
                    "tasks_fts.rowid",
                    self,
                    words,
                    after,
                    upto,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::Session(session) => {
                query_found!(
                    "tasks INDEXED BY tasks_by_session
                    WHERE tasks.session_id = ?1 AND tasks.seq > ?2 AND tasks.seq <= ?3",
                    "tasks.seq",
                    self,
                    session,
                    after,
                    upto,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::Failed => {
                query_found!(
                    "tasks INDEXED BY tasks_failed
                    WHERE tasks.status = 'FAILED' AND ?1 IS NULL AND tasks.seq > ?2
                      AND tasks.seq <= ?3",
                    "tasks.seq",
                    self,
                    none,
                    after,
                    upto,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::Open(status) => {
                query_found!(
                    "tasks INDEXED BY tasks_open
                    WHERE tasks.finished_at IS NULL AND tasks.status = ?1 AND tasks.seq > ?2
                      AND tasks.seq <= ?3",
                    "tasks.seq",
                    self,
                    status,
                    after,
                    upto,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
            Way::RowNumber => {
                query_found!(
                    "tasks NOT INDEXED
                    WHERE ?1 IS NULL AND tasks.seq > ?2 AND tasks.seq <= ?3",
                    "tasks.seq",
                    self,
                    none,
                    after,
                    upto,
                    limit
                )
                .fetch_all(conn)
                .await?
            }
        })
    }
}

/// Whether at most [`SORTED_LIMIT`] tasks have this status, one of those that are not final.
async fn has_few(conn: &mut SqliteConnection, status: TaskStatus) -> Result<bool, Error> {
    let (status, limit) = (status.as_str(), SORTED_LIMIT + 1);
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!: i64"
             FROM (SELECT 1 FROM tasks WHERE finished_at IS NULL AND status = ?1 LIMIT ?2)"#,
        status,
        limit
    )
    .fetch_one(conn)
    .await?;
    Ok(count <= SORTED_LIMIT)
}

/// How many tasks have this status, or how many there are at all.
async fn count(conn: &mut SqliteConnection, status: Option<TaskStatus>) -> Result<i64, Error> {
    let name = status.map(TaskStatus::as_str);
    let counted = sqlx::query!(
        r#"SELECT iif(?1 IS NULL OR ?1 = 'COMPLETED', (SELECT count(*) FROM tasks), 0)
                      AS "all!: i64",
                  iif(?1 IN ('FAILED', 'COMPLETED'),
                      (SELECT count(*) FROM tasks WHERE status = 'FAILED'), 0) AS "failed!: i64",
                  iif(?1 = 'COMPLETED',
                      (SELECT count(*) FROM tasks WHERE finished_at IS NULL), 0) AS "open!: i64",
                  iif(?1 IN ('PENDING', 'PROCESSING'),
                      (SELECT count(*) FROM tasks WHERE finished_at IS NULL AND status = ?1), 0)
                      AS "of_open_status!: i64""#,
        name
    )
    .fetch_one(conn)
    .await?;
    Ok(match status {
        None => counted.all,
        Some(TaskStatus::Completed) => counted.all - counted.failed - counted.open,
        Some(TaskStatus::Failed) => counted.failed,
        Some(TaskStatus::Pending | TaskStatus::Processing) => counted.of_open_status,
    })
}
