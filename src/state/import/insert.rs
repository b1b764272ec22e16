//! Inserts the tasks of a dump: rows that travel to SQLite as one JSON list.

use serde::Serialize;
use sqlx::SqliteConnection;

use crate::models::json::RawJson;
use crate::models::{Failure, Task, TaskId, TaskStatus, Timestamp};
use crate::state::error::Error;

/// Inserts the tasks in their order. Adjacent small ones share a statement, a large one has its own.
pub(super) async fn insert(conn: &mut SqliteConnection, tasks: &[Task]) -> Result<(), Error> {
    for run in tasks.chunk_by(|one, next| !is_large(one) && !is_large(next)) {
        match run {
            [task] if is_large(task) => insert_large(conn, task).await?,
            tasks => insert_small(conn, tasks).await?,
        }
    }
    insert_links(conn, tasks).await
}

/// Bytes of a task's texts above which it has a statement of its own.
const LARGE_BYTES: usize = 64 * 1024;

fn is_large(task: &Task) -> bool {
    let texts = [&task.result, &task.error].map(|text| text.as_ref().map_or(0, String::len));
    let json = [&task.context_history, &task.extra].map(|json| json.as_str().len());
    let used = task.context_used.as_ref();
    let used = used.map_or(0, |json| json.as_str().len());
    let bytes =
        task.content.len() + texts.iter().sum::<usize>() + json.iter().sum::<usize>() + used;
    bytes > LARGE_BYTES
}

/// Inserts a task with a parameter for each text: from a JSON list SQLite copies the whole row for each
/// value that it takes out.
async fn insert_large(conn: &mut SqliteConnection, task: &Task) -> Result<(), Error> {
    let id = task.id.hyphenated().to_string();
    let (status, failure) = (
        task.status.as_str(),
        task.failure.map(|failure| failure.as_str()),
    );
    let (created_at, run_at) = (task.created_at.to_string(), task.run_at.to_string());
    let started_at = task.started_at.map(|time| time.to_string());
    let finished_at = task.finished_at.map(|time| time.to_string());
    let tags = serde_json::to_string(&task.tags)?;
    let (history, extra) = (task.context_history.as_str(), task.extra.as_str());
    let used = task.context_used.as_ref().map(RawJson::as_str);
    let upstream = match task.after.is_empty() {
        true => None,
        false => Some(serde_json::to_string(&task.after)?),
    };
    let blocked = blocked_by(task).len() as i64;
    sqlx::query!(
        "INSERT INTO tasks (id, content, status, processor, priority, attempt, max_attempts,
                            created_at, run_at, started_at, finished_at, result, failure, error,
                            progress, tags, session_id, context_history, context_used, extra,
                            timeout, concurrency_key, unique_key, upstream, blocked, source)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18,
                 ?19, ?20, ?21, ?22, ?23, ?24, ?25, 'import')",
        id,
        task.content,
        status,
        task.processor,
        task.priority,
        task.attempt,
        task.max_attempts,
        created_at,
        run_at,
        started_at,
        finished_at,
        task.result,
        failure,
        task.error,
        task.progress,
        tags,
        task.session_id,
        history,
        used,
        extra,
        task.timeout,
        task.concurrency_key,
        task.unique_key,
        upstream,
        blocked
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_small(conn: &mut SqliteConnection, tasks: &[Task]) -> Result<(), Error> {
    let rows: Vec<_> = tasks.iter().map(ImportedTaskRow::of).collect();
    let rows = serde_json::to_string(&rows)?;
    sqlx::query!(
        "INSERT INTO tasks (id, content, status, processor, priority, attempt, max_attempts,
                            created_at, run_at, started_at, finished_at, result, failure, error,
                            progress, tags, session_id, context_history, context_used, extra,
                            timeout, concurrency_key, unique_key, upstream, blocked, source)
         SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
                value ->> 6, value ->> 7, value ->> 8, value ->> 9, value ->> 10, value ->> 11,
                value ->> 12, value ->> 13, value ->> 14, value -> 15, value ->> 16, value -> 17,
                value ->> 18, value -> 19, value ->> 20, value ->> 21, value ->> 22, value ->> 23,
                value ->> 24, 'import'
           FROM jsonb_each(?1)",
        rows
    )
    .execute(conn)
    .await?;
    Ok(())
}

async fn insert_links(conn: &mut SqliteConnection, tasks: &[Task]) -> Result<(), Error> {
    insert_open_dependencies(conn, tasks).await?;
    let links: Vec<_> = tasks
        .iter()
        .flat_map(|task| blocked_by(task).iter().map(|upstream| (upstream, task.id)))
        .collect();
    if links.is_empty() {
        return Ok(());
    }
    let links = serde_json::to_string(&links)?;
    sqlx::query!(
        "INSERT OR IGNORE INTO links (upstream, downstream)
         SELECT value ->> 0, value ->> 1 FROM jsonb_each(?1)",
        links
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Inserts what the tasks that are not final name in `after`.
async fn insert_open_dependencies(
    conn: &mut SqliteConnection,
    tasks: &[Task],
) -> Result<(), Error> {
    let open = tasks.iter().filter(|task| task.finished_at.is_none());
    let named: Vec<_> = open
        .flat_map(|task| task.after.iter().map(|upstream| (upstream, task.id)))
        .collect();
    if named.is_empty() {
        return Ok(());
    }
    let named = serde_json::to_string(&named)?;
    sqlx::query!(
        "INSERT OR IGNORE INTO open_dependencies (upstream, downstream)
         SELECT value ->> 0, value ->> 1 FROM jsonb_each(?1)",
        named
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// A task as it travels to SQLite: a JSON list, written from the task without a copy of its texts.
#[derive(Serialize)]
struct ImportedTaskRow<'a>(
    TaskId,
    &'a str,
    TaskStatus,
    &'a str,
    i64,
    i64,
    i64,
    Timestamp,
    Timestamp,
    Option<Timestamp>,
    Option<Timestamp>,
    Option<&'a str>,
    Option<Failure>,
    Option<&'a str>,
    Option<f64>,
    &'a [String],
    Option<&'a str>,
    &'a RawJson,
    Option<&'a str>,
    &'a RawJson,
    Option<f64>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a [TaskId]>,
    usize,
);

impl<'a> ImportedTaskRow<'a> {
    fn of(task: &'a Task) -> Self {
        Self(
            task.id,
            &task.content,
            task.status,
            &task.processor,
            task.priority,
            task.attempt,
            task.max_attempts,
            task.created_at,
            task.run_at,
            task.started_at,
            task.finished_at,
            task.result.as_deref(),
            task.failure,
            task.error.as_deref(),
            task.progress,
            &task.tags,
            task.session_id.as_deref(),
            &task.context_history,
            task.context_used.as_ref().map(RawJson::as_str),
            &task.extra,
            task.timeout,
            task.concurrency_key.as_deref(),
            task.unique_key.as_deref(),
            (!task.after.is_empty()).then_some(&task.after),
            blocked_by(task).len(),
        )
    }
}

/// Returns what blocks an imported task: all its dependencies, until the Writer looks at their statuses.
fn blocked_by(task: &Task) -> &[TaskId] {
    match task.status {
        TaskStatus::Pending => &task.after,
        _ => &[],
    }
}
