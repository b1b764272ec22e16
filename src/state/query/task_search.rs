//! The SQL that finds the row numbers of tasks by a filter, page by page.
//!
//! A search walks along an index in the order of its page, so it stops when the page is full and sorts nothing:
//! failed tasks along `tasks_failed`, those of a session along `tasks_by_session`, words along the full-text index,
//! all others along the row number. Open tasks of one status are found by `tasks_open` and sorted if they are few.
//! If they are many, the walk along the row numbers meets them soon enough.

use sqlx::SqliteConnection;

use crate::models::{TaskFilter, TaskStatus};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::fts_query;

/// Open tasks of one status that are sorted at most.
const SORTED_LIMIT: i64 = 10_000;

/// A filter with the index that serves it.
pub(super) struct TaskSearch<'a> {
    index: SearchIndex,
    filter: &'a TaskFilter,
    status: Option<&'static str>,
    failure: Option<&'static str>,
    since: Option<String>,
    until: Option<String>,
}

/// The index that a search walks along.
enum SearchIndex {
    /// The full-text index, with the expression to match.
    Words(String),
    Failed,
    Session(String),
    /// Open tasks of one status, which are then sorted.
    Open(&'static str),
    RowNumber,
}

pub(super) struct FoundRow {
    pub(super) seq: i64,
    pub(super) finished_at: Option<Text>,
}

/// Selects rows `$from` a table that match the filter. `?1` to `?3` belong to the caller.
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

impl<'a> TaskSearch<'a> {
    /// Chooses the index for `filter`.
    pub(super) async fn new(
        conn: &mut SqliteConnection,
        filter: &'a TaskFilter,
    ) -> Result<Self, Error> {
        let is_failed = filter.failure.is_some() || filter.status == Some(TaskStatus::Failed);
        let index = if let Some(typed) = &filter.words {
            SearchIndex::Words(fts_query::expression(typed))
        } else if let Some(session) = &filter.session_id {
            SearchIndex::Session(session.clone())
        } else if is_failed {
            SearchIndex::Failed
        } else {
            match filter.status.filter(|status| !status.is_final()) {
                Some(status) if has_few(conn, status).await? => SearchIndex::Open(status.as_str()),
                _ => SearchIndex::RowNumber,
            }
        };
        Ok(Self {
            index,
            filter,
            status: filter.status.map(TaskStatus::as_str),
            failure: filter.failure.map(|failure| failure.as_str()),
            since: filter.since.map(|time| time.to_string()),
            until: filter.until.map(|time| time.to_string()),
        })
    }

    /// Returns up to `limit` rows before row `before`, newest first.
    pub(super) async fn newest_before(
        &self,
        conn: &mut SqliteConnection,
        before: i64,
        limit: i64,
    ) -> Result<Vec<FoundRow>, Error> {
        let none = None::<i64>;
        Ok(match &self.index {
            SearchIndex::Words(words) => {
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
            SearchIndex::Session(session) => {
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
            SearchIndex::Failed => {
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
            SearchIndex::Open(status) => {
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
            SearchIndex::RowNumber => {
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

    /// Returns up to `limit` rows after row `after` up to row `upto`, oldest first.
    pub(super) async fn oldest_after(
        &self,
        conn: &mut SqliteConnection,
        after: i64,
        upto: i64,
        limit: i64,
    ) -> Result<Vec<FoundRow>, Error> {
        let none = None::<i64>;
        Ok(match &self.index {
            SearchIndex::Words(words) => {
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
            SearchIndex::Session(session) => {
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
            SearchIndex::Failed => {
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
            SearchIndex::Open(status) => {
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
            SearchIndex::RowNumber => {
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

/// Returns whether at most [`SORTED_LIMIT`] open tasks have this status.
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
