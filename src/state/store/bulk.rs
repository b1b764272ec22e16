//! Bulk changes: retry, delete or count all tasks that pass a filter.
//!
//! The tasks are found on the search connections, a chunk at a time, in order of arrival. The Writer changes each
//! chunk in a transaction of its own, between other work, and skips what is no longer as it was
//! found. Tasks that arrive meanwhile are not touched. A client that disconnects ends it
//! after the chunk that is under way.

use sqlx::SqlitePool;

use crate::models::{ListOrder, TaskFilter, TaskId, TaskStatus};
use crate::state::commands::bulk::{BulkChange, ChangeFound};
use crate::state::db::search_pool::SearchConnection;
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::query::list;
use crate::state::query::list::FoundTask;
use crate::state::query::task_lookups;
use crate::state::retry::requeue::RetryAt;
use crate::state::store::StateManager;

/// Tasks changed in one transaction: a few milliseconds.
const CHUNK_TASKS: i64 = 100;
/// Tasks counted at a time.
const COUNTED_TASKS: i64 = 1000;
/// Rows searched at a time.
const STRETCH_ROWS: i64 = 100_000;

/// What was done to many tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bulk {
    /// Tasks that passed the filter.
    pub(crate) matched: u64,
    /// Those among them that were changed.
    pub(crate) changed: u64,
    /// Those that were not deleted, because open tasks need their results.
    pub(crate) needed: u64,
}

/// Walks over the tasks that passed a filter at one moment, chunk by chunk.
pub(crate) struct Walk<'a> {
    state: &'a StateManager,
    filter: &'a TaskFilter,
    upto: i64,
    cursor: i64,
    chunk: i64,
}

impl<'a> Walk<'a> {
    pub(crate) async fn new(
        state: &'a StateManager,
        filter: &'a TaskFilter,
        chunk: i64,
    ) -> Result<Self, Error> {
        Ok(Self {
            state,
            filter,
            upto: task_lookups::newest_seq(&state.read).await?,
            cursor: 0,
            chunk,
        })
    }

    /// The next chunk; empty at the end.
    pub(crate) async fn next(&mut self) -> Result<Vec<FoundTask>, Error> {
        loop {
            let upto = self.end_of_stretch().await?;
            let mut search = self.begin_search().await?;
            let (order, cursor) = (ListOrder::OldestFirst, Some(self.cursor));
            let found = list::find(&mut search, self.filter, order, cursor, upto, self.chunk);
            let found = found.await?;
            let is_full = found.len() as i64 == self.chunk;
            self.cursor = match found.last() {
                Some(last) if is_full => last.seq,
                _ => upto,
            };
            if !found.is_empty() || upto >= self.upto {
                return Ok(found);
            }
        }
    }

    /// The last row of the next search. A walk over very many rows is many searches, because a single one would be
    /// stopped. A full-text search uses the index, and costs more the more often it begins.
    async fn end_of_stretch(&self) -> Result<i64, Error> {
        if self.filter.words.is_some() {
            return Ok(self.upto);
        }
        let first = task_lookups::next_seq(&self.state.read, self.cursor).await?;
        Ok(first.map_or(self.upto, |seq| {
            seq.saturating_add(STRETCH_ROWS).min(self.upto)
        }))
    }

    /// Begins a search. A walk that has begun waits for other searches, rather than end half-way.
    async fn begin_search(&self) -> Result<SearchConnection, Error> {
        loop {
            match self.state.searches.begin().await {
                Err(Error::TooManySearches) if self.cursor > 0 => {}
                begun => return begun,
            }
        }
    }
}

impl StateManager {
    /// Retries the FAILED tasks that pass a filter, except those whose unique key an open task holds.
    ///
    /// # Errors
    /// When something could not be stored; some tasks may have been retried then.
    pub(crate) async fn retry_all(
        &self,
        filter: &TaskFilter,
        at: RetryAt,
        dry_run: bool,
    ) -> Result<Bulk, Error> {
        match with_status(filter, TaskStatus::Failed) {
            Some(filter) => {
                self.change_all(&filter, BulkChange::Retry(at), dry_run)
                    .await
            }
            None => Ok(Bulk::default()),
        }
    }

    /// Deletes the finished tasks that pass a filter.
    ///
    /// # Errors
    /// When something could not be deleted; some tasks may have been then.
    pub(crate) async fn delete_all(
        &self,
        filter: &TaskFilter,
        dry_run: bool,
    ) -> Result<Bulk, Error> {
        let mut done = Bulk::default();
        for status in [TaskStatus::Completed, TaskStatus::Failed] {
            if let Some(filter) = with_status(filter, status) {
                let of_status = self
                    .change_all(&filter, BulkChange::Delete, dry_run)
                    .await?;
                done.matched += of_status.matched;
                done.changed += of_status.changed;
                done.needed += of_status.needed;
            }
        }
        Ok(done)
    }

    /// The running tasks that pass a filter.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn running_of(&self, filter: &TaskFilter) -> Result<Vec<TaskId>, Error> {
        let Some(filter) = with_status(filter, TaskStatus::Processing) else {
            return Ok(Vec::new());
        };
        self.index_is_current(&filter).await?;
        let mut walk = Walk::new(self, &filter, COUNTED_TASKS).await?;
        let mut ids = Vec::new();
        loop {
            let found = walk.next().await?;
            if found.is_empty() {
                return Ok(ids);
            }
            ids.extend(ids_at(&self.read, &found).await?);
        }
    }

    async fn change_all(
        &self,
        filter: &TaskFilter,
        change: BulkChange,
        dry_run: bool,
    ) -> Result<Bulk, Error> {
        self.index_is_current(filter).await?;
        let chunk = if dry_run { COUNTED_TASKS } else { CHUNK_TASKS };
        let mut walk = Walk::new(self, filter, chunk).await?;
        let mut done = Bulk::default();
        loop {
            let found = walk.next().await?;
            if found.is_empty() {
                return Ok(done);
            }
            done.matched += found.len() as u64;
            if !dry_run {
                let of_chunk = self.ask(ChangeFound(change, found)).await?;
                done.changed += of_chunk.changed;
                done.needed += of_chunk.needed;
            }
        }
    }
}

/// The filter with this status; `None` if it names another one.
fn with_status(filter: &TaskFilter, status: TaskStatus) -> Option<TaskFilter> {
    let fits = filter.status.is_none_or(|wanted| wanted == status);
    fits.then(|| TaskFilter {
        status: Some(status),
        ..filter.clone()
    })
}

async fn ids_at(pool: &SqlitePool, found: &[FoundTask]) -> Result<Vec<TaskId>, Error> {
    let rows = list::seqs_and_ends(found)?;
    let ids = sqlx::query_scalar!(
        r#"SELECT tasks.id AS "id!: Text"
             FROM jsonb_each(?1) AS found CROSS JOIN tasks ON tasks.seq = found.value ->> 0"#,
        rows
    )
    .fetch_all(pool)
    .await?;
    // A row that another program has damaged must not stop the others.
    Ok(ids.iter().filter_map(|id| id.parse_id().ok()).collect())
}
