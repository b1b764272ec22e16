//! A [`Store`] in memory, with switches for what a database does rarely.

use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value};
use tokio::sync::Notify;

use crate::dump::store::Store;
use crate::models::json::RawJson;
use crate::models::{Task, TaskStatus, Timestamp};
use crate::state;

/// A pending task whose id is made of `number`.
pub(crate) fn task(number: u128, content: &str) -> Task {
    let created_at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    Task {
        id: uuid::Uuid::from_u128(number),
        content: content.to_owned(),
        created_at,
        status: TaskStatus::Pending,
        result: None,
        logs: Vec::new(),
        context_history: RawJson::default(),
        context_used: None,
        processor: "echo".to_owned(),
        priority: 0,
        attempt: 0,
        max_attempts: 1,
        run_at: created_at,
        started_at: None,
        finished_at: None,
        failure: None,
        error: None,
        progress: None,
        tags: Vec::new(),
        session_id: None,
        timeout: None,
        concurrency_key: None,
        unique_key: None,
        after: Vec::new(),
        extra: RawJson::default(),
    }
}

#[derive(Clone, Default)]
pub(crate) struct TestStore {
    inner: Arc<Mutex<Inner>>,
    stopped: Arc<Notify>,
}

#[derive(Default)]
struct Inner {
    tasks: Vec<Task>,
    fields: Map<String, Value>,
    chunk_sizes: Vec<usize>,
    exports: usize,
    page_limit: Option<usize>,
    last_answer: Option<i64>,
    /// Tasks that arrive one with each page.
    arriving: Vec<Task>,
}

impl TestStore {
    pub(crate) fn holding(tasks: Vec<Task>) -> Self {
        let store = Self::default();
        store.inner().tasks = tasks;
        store
    }

    /// Pages have at most `limit` tasks, whatever was asked for.
    pub(crate) fn with_pages_of(self, limit: usize) -> Self {
        self.inner().page_limit = Some(limit);
        self
    }

    /// Pages after row `seq` never come.
    pub(crate) fn that_stops_answering_after(self, seq: i64) -> Self {
        self.inner().last_answer = Some(seq);
        self
    }

    /// Each page that is asked for finds one of these tasks arrived.
    pub(crate) fn while_these_arrive(self, tasks: Vec<Task>) -> Self {
        self.inner().arriving = tasks;
        self
    }

    /// Resolves when such a page was asked for.
    pub(crate) async fn stopped_answering(&self) {
        self.stopped.notified().await;
    }

    pub(crate) fn answer_again(&self) {
        self.inner().last_answer = None;
    }

    pub(crate) fn tasks(&self) -> Vec<Task> {
        self.inner().tasks.clone()
    }

    pub(crate) fn add(&self, task: Task) {
        self.inner().tasks.push(task);
    }

    pub(crate) fn fields(&self) -> Map<String, Value> {
        self.inner().fields.clone()
    }

    pub(crate) fn set_fields(&self, fields: Value) {
        self.inner().fields = fields.as_object().unwrap().clone();
    }

    /// How many tasks each chunk of an import had.
    pub(crate) fn chunk_sizes(&self) -> Vec<usize> {
        self.inner().chunk_sizes.clone()
    }

    /// How many exports came to the end of the tasks.
    pub(crate) fn exports(&self) -> usize {
        self.inner().exports
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }
}

impl Inner {
    fn import(&mut self, task: Task, replace: bool, report: &mut state::ImportReport) {
        let Some(there) = self.tasks.iter_mut().find(|t| t.id == task.id) else {
            report.imported += 1;
            self.tasks.push(task);
            return;
        };
        if (&there.content, there.created_at) == (&task.content, task.created_at) {
            report.unchanged += 1;
        } else if replace {
            report.replaced += 1;
            *there = task;
        } else {
            report.conflicts.push(task.id);
        }
    }

    fn page(&self, after: i64, limit: u32) -> Vec<(i64, Task)> {
        let limit = self.page_limit.unwrap_or(limit as usize);
        let rows = (1..).zip(self.tasks.iter().cloned());
        rows.filter(|(seq, _)| *seq > after).take(limit).collect()
    }
}

impl Store for TestStore {
    async fn tasks_after(&self, after: i64, limit: u32) -> Result<Vec<(i64, Task)>, state::Error> {
        let last_answer = self.inner().last_answer;
        if last_answer.is_some_and(|last| after >= last) {
            self.stopped.notify_one();
            std::future::pending::<()>().await;
        }
        let arrived = self.inner().arriving.pop();
        self.inner().tasks.extend(arrived);
        let page = self.inner().page(after, limit);
        if page.is_empty() {
            self.inner().exports += 1;
        }
        Ok(page)
    }

    async fn newest_row(&self) -> Result<i64, state::Error> {
        Ok(self.inner().tasks.len() as i64)
    }

    async fn import(
        &self,
        tasks: Vec<Task>,
        replace: bool,
    ) -> Result<state::ImportReport, state::Error> {
        let mut inner = self.inner();
        inner.chunk_sizes.push(tasks.len());
        let mut report = state::ImportReport::default();
        for task in tasks {
            inner.import(task, replace, &mut report);
        }
        Ok(report)
    }

    async fn end_import(&self) -> Result<(), state::Error> {
        Ok(())
    }

    async fn dump_fields(&self) -> Result<Map<String, Value>, state::Error> {
        Ok(self.fields())
    }

    async fn set_dump_fields(&self, fields: Map<String, Value>) -> Result<(), state::Error> {
        self.inner().fields = fields;
        Ok(())
    }

    async fn is_empty(&self) -> Result<bool, state::Error> {
        Ok(self.inner().tasks.is_empty())
    }
}
