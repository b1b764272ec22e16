//! The SQL of an import: which tasks of a dump are new, which exist already, which conflict.

mod insert;

use std::collections::{HashMap, HashSet};

use serde_json::json;
use sqlx::SqliteConnection;

use crate::models::{Task, TaskId, TaskStatus};
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::fts::indexer;
use crate::state::journal::entry::JournalEntry;
use crate::state::query::lookups;

use insert::insert;

/// What became of a chunk of tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ImportReport {
    pub(crate) imported: u64,
    /// They exist already: the same id, content and creation time.
    pub(crate) unchanged: u64,
    pub(crate) replaced: u64,
    /// Left out: the id belongs to another task (or, when replacing, to one that is running), or the
    /// unique key to another task that is not finished.
    pub(crate) conflicts: Vec<TaskId>,
}

impl ImportReport {
    /// The audit entry of a chunk; `None` if the import is anonymous or changed nothing.
    pub(crate) fn audit_entry(&self, actor: Option<&str>) -> Option<JournalEntry> {
        let (imported, replaced) = (self.imported, self.replaced);
        if imported + replaced == 0 {
            return None;
        }
        let words = format!("{} tasks were imported", imported + replaced);
        let data = json!({ "done": "import", "imported": imported, "replaced": replaced });
        JournalEntry::done(actor, &words, data)
    }
}

/// A chunk that has been written and is not yet committed.
#[derive(Default)]
pub(crate) struct Imported {
    pub(crate) report: ImportReport,
    pub(crate) rows: Vec<JournalEntry>,
    /// New PENDING tasks that are not blocked, by processor and key.
    pub(crate) pending: HashMap<(String, Option<String>), u64>,
    /// New blocked tasks.
    pub(crate) blocked: u64,
    /// PENDING tasks that were replaced, by processor and key.
    pub(crate) no_longer_pending: HashMap<(String, Option<String>), u64>,
    pub(crate) no_longer_blocked: u64,
    /// Tasks that the new ones depend on.
    pub(crate) upstream: HashSet<TaskId>,
}

/// The task in the database that has the same id.
struct Present {
    content: String,
    created_at: String,
    status: String,
    processor: String,
    key: Option<String>,
    is_blocked: bool,
}

/// Writes a chunk of tasks, inside the caller's transaction, and returns what became of each.
pub(crate) async fn import(
    conn: &mut SqliteConnection,
    tasks: Vec<Task>,
    replace: bool,
) -> Result<Imported, Error> {
    let mut present = present(conn, &tasks).await?;
    let mut holders = holders(conn, &tasks).await?;
    let mut imported = Imported::default();
    let mut replaced = Vec::new();
    let mut added: Vec<Task> = Vec::with_capacity(tasks.len());
    let mut seen = HashSet::new();
    for task in tasks {
        let first = seen.insert(task.id);
        let here = present.remove(&task.id);
        let is_unchanged = !replace && here.as_ref().is_some_and(|here| here.is(&task));
        if !is_unchanged && !takes_its_key(&task, &mut holders) {
            imported.report.conflicts.push(task.id);
            continue;
        }
        match here {
            None if first => {
                imported.report.imported += 1;
                added.push(task);
            }
            Some(here) if replace && here.status != TaskStatus::Processing.as_str() => {
                imported.report.replaced += 1;
                if here.status == TaskStatus::Pending.as_str() && here.is_blocked {
                    imported.no_longer_blocked += 1;
                } else if here.status == TaskStatus::Pending.as_str() {
                    let lane = (here.processor, here.key);
                    *imported.no_longer_pending.entry(lane).or_default() += 1;
                }
                replaced.push(task.id);
                added.push(task);
            }
            Some(here) if here.is(&task) => imported.report.unchanged += 1,
            Some(_) | None => imported.report.conflicts.push(task.id),
        }
    }
    if !replaced.is_empty() {
        delete(conn, &replaced).await?;
    }
    if !added.is_empty() {
        insert(conn, &added).await?;
    }
    for task in added {
        if task.status == TaskStatus::Pending && !task.after.is_empty() {
            imported.blocked += 1;
            imported.upstream.extend(&task.after);
        } else if task.status == TaskStatus::Pending {
            let lane = (task.processor.clone(), task.concurrency_key.clone());
            *imported.pending.entry(lane).or_default() += 1;
        }
        imported.rows.extend(rows_of(task));
    }
    Ok(imported)
}

/// Takes the unique key for an open task. Returns false if another one holds it.
fn takes_its_key(task: &Task, holders: &mut HashMap<String, TaskId>) -> bool {
    match &task.unique_key {
        Some(key) if task.finished_at.is_none() => {
            *holders.entry(key.clone()).or_insert(task.id) == task.id
        }
        _ => true,
    }
}

impl Present {
    fn is(&self, task: &Task) -> bool {
        self.content == task.content && self.created_at == task.created_at.to_string()
    }
}

/// An imported task's journal: its first line stands with its TASK_CREATED row, so that the lines come
/// out again exactly as they came in.
fn rows_of(task: Task) -> impl Iterator<Item = JournalEntry> {
    let (id, at) = (task.id, task.created_at);
    let mut lines = task.logs.into_iter();
    let created = JournalEntry::imported(id, &task.content, lines.next(), at);
    let end = task.finished_at.unwrap_or(at);
    std::iter::once(created)
        .chain(lines.map(move |line| JournalEntry::imported_line(id, line, end)))
}

async fn present(
    conn: &mut SqliteConnection,
    tasks: &[Task],
) -> Result<HashMap<TaskId, Present>, Error> {
    let ids: Vec<_> = tasks.iter().map(|task| task.id).collect();
    let ids = serde_json::to_string(&ids)?;
    let rows = sqlx::query!(
        r#"SELECT id AS "id!: Text", content AS "content!: Text",
                  created_at AS "created_at!: Text", status AS "status!: Text",
                  processor AS "processor!: Text", concurrency_key AS "key: Text",
                  blocked > 0 AS "is_blocked!: bool"
             FROM tasks WHERE id IN (SELECT value FROM jsonb_each(?1))"#,
        ids
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let present = Present {
                content: row.content.into(),
                created_at: row.created_at.into(),
                status: row.status.into(),
                processor: row.processor.into(),
                key: row.key.map(String::from),
                is_blocked: row.is_blocked,
            };
            Ok((row.id.parse_id()?, present))
        })
        .collect()
}

/// The open tasks that hold the unique keys of these tasks.
async fn holders(
    conn: &mut SqliteConnection,
    tasks: &[Task],
) -> Result<HashMap<String, TaskId>, Error> {
    let keys: Vec<_> = tasks
        .iter()
        .filter_map(|task| task.unique_key.as_ref())
        .collect();
    if keys.is_empty() {
        return Ok(HashMap::new());
    }
    lookups::unique_key_holders(conn, &serde_json::to_string(&keys)?).await
}

async fn delete(conn: &mut SqliteConnection, ids: &[TaskId]) -> Result<(), Error> {
    let ids = serde_json::to_string(ids)?;
    sqlx::query!(
        "DELETE FROM logs WHERE task_id IN (SELECT value FROM jsonb_each(?1))",
        ids
    )
    .execute(&mut *conn)
    .await?;
    indexer::forget(conn, &ids).await?;
    sqlx::query!(
        "DELETE FROM tasks WHERE id IN (SELECT value FROM jsonb_each(?1))",
        ids
    )
    .execute(conn)
    .await?;
    Ok(())
}
