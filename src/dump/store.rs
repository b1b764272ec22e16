//! What a dump needs of the [`StateManager`]; a trait, so that tests need no database.

use std::future::Future;

use serde_json::{Map, Value};

use crate::models::Task;
use crate::state::{self, StateManager};

/// Where tasks come from and go to.
pub(crate) trait Store: Clone + Send + Sync + 'static {
    /// The next tasks in order of arrival after row `after` (0: from the first), at most `limit`,
    /// with their row numbers.
    ///
    /// It may give fewer, for the sake of memory where tasks are large: only an empty page is the
    /// end.
    fn tasks_after(
        &self,
        after: i64,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<(i64, Task)>, state::Error>> + Send;

    /// The row number of the newest task; 0 if there is none.
    fn newest_row(&self) -> impl Future<Output = Result<i64, state::Error>> + Send;

    /// Imports a chunk, all of it or nothing.
    fn import(
        &self,
        tasks: Vec<Task>,
        replace: bool,
    ) -> impl Future<Output = Result<state::ImportReport, state::Error>> + Send;

    /// All chunks of a dump are in.
    fn end_import(&self) -> impl Future<Output = Result<(), state::Error>> + Send;

    /// What imported files held besides `tasks`, in order.
    fn dump_fields(&self) -> impl Future<Output = Result<Map<String, Value>, state::Error>> + Send;

    /// Replaces what [`Self::dump_fields`] gives.
    fn set_dump_fields(
        &self,
        fields: Map<String, Value>,
    ) -> impl Future<Output = Result<(), state::Error>> + Send;

    /// Whether no task was ever stored.
    fn is_empty(&self) -> impl Future<Output = Result<bool, state::Error>> + Send;
}

impl Store for StateManager {
    async fn tasks_after(&self, after: i64, limit: u32) -> Result<Vec<(i64, Task)>, state::Error> {
        self.tasks_after(after, limit).await
    }

    async fn newest_row(&self) -> Result<i64, state::Error> {
        self.newest_row().await
    }

    async fn import(
        &self,
        tasks: Vec<Task>,
        replace: bool,
    ) -> Result<state::ImportReport, state::Error> {
        self.import(tasks, replace).await
    }

    async fn end_import(&self) -> Result<(), state::Error> {
        self.end_import().await
    }

    async fn dump_fields(&self) -> Result<Map<String, Value>, state::Error> {
        self.dump_fields().await
    }

    async fn set_dump_fields(&self, fields: Map<String, Value>) -> Result<(), state::Error> {
        self.set_dump_fields(fields).await
    }

    async fn is_empty(&self) -> Result<bool, state::Error> {
        self.is_empty().await
    }
}
