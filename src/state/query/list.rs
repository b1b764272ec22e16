//! Lists of tasks by a filter: a search finds row numbers, then the tasks of these rows are read.

use sqlx::{Connection, SqliteConnection};

use crate::models::{ListOrder, Task, TaskFilter, TaskStatus};
use crate::state::error::Error;
use crate::state::query::task_search::TaskSearch;
use crate::state::query::tasks;

/// A page of tasks that match a filter.
pub(crate) struct Page {
    pub(crate) tasks: Vec<Task>,
    /// Row number after which the next page begins; `None` on the last page.
    pub(crate) next: Option<i64>,
    /// Number of tasks on all pages, if it can be counted quickly.
    pub(crate) total: Option<i64>,
}

/// A task that matched a filter. If `finished_at` has changed since, it may match no more.
pub(crate) struct FoundTask {
    pub(crate) seq: i64,
    pub(crate) finished_at: Option<String>,
}

/// Returns a page of at most `limit` tasks beyond row `cursor`, and their logs if `with_logs`. A page of large tasks
/// has fewer.
pub(crate) async fn page(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    order: ListOrder,
    cursor: Option<i64>,
    limit: u32,
    with_logs: bool,
) -> Result<Page, Error> {
    // In one transaction no task changes between being found and being read.
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

/// Returns up to `limit` tasks that match the filter, beyond row `cursor` and not after row `upto`.
pub(crate) async fn find(
    conn: &mut SqliteConnection,
    filter: &TaskFilter,
    order: ListOrder,
    cursor: Option<i64>,
    upto: i64,
    limit: i64,
) -> Result<Vec<FoundTask>, Error> {
    let search = TaskSearch::new(conn, filter).await?;
    let rows = match order {
        ListOrder::NewestFirst => {
            let before = cursor.unwrap_or(i64::MAX).min(upto.saturating_add(1));
            search.newest_before(conn, before, limit).await?
        }
        ListOrder::OldestFirst => {
            let after = cursor.unwrap_or(0);
            search.oldest_after(conn, after, upto, limit).await?
        }
    };
    let found = rows.into_iter().map(|row| FoundTask {
        seq: row.seq,
        finished_at: row.finished_at.map(String::from),
    });
    Ok(found.collect())
}

/// Returns how many tasks have this status, or how many tasks there are.
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

/// A JSON list of [seq, finished_at].
pub(crate) fn seqs_and_ends(found: &[FoundTask]) -> Result<String, Error> {
    let rows: Vec<_> = found
        .iter()
        .map(|task| (task.seq, &task.finished_at))
        .collect();
    Ok(serde_json::to_string(&rows)?)
}
