//! The SQL that reads the journal: for listeners that catch up, and for those who follow one task.

use sqlx::SqliteExecutor;

use super::Error;
use super::text::Text;
use crate::models::{Event, EventType, TaskId, Timestamp};

/// The newest journal row's id; 0 when there was never one.
pub(super) async fn newest_event(conn: impl SqliteExecutor<'_>) -> Result<i64, Error> {
    let newest = sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "id!: i64" FROM logs"#)
        .fetch_one(conn)
        .await?;
    Ok(newest)
}

/// Journal rows after `after`, up to `upto`, oldest first.
pub(super) async fn events_after(
    conn: impl SqliteExecutor<'_>,
    after: i64,
    upto: i64,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let rows = sqlx::query_as!(
        EventRow,
        r#"SELECT id AS "id!", task_id AS "task_id: Text", type AS "kind!: Text",
                  agent AS "agent: Text", message AS "message: Text", data AS "data!: Text",
                  at AS "at!: Text"
             FROM logs WHERE id > ?1 AND id <= ?2 ORDER BY id LIMIT ?3"#,
        after,
        upto,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(EventRow::into_event).collect())
}

/// Journal rows of one task after `after`, up to `upto`, oldest first.
pub(super) async fn task_events_after(
    conn: impl SqliteExecutor<'_>,
    task_id: TaskId,
    after: i64,
    upto: i64,
    limit: u32,
) -> Result<Vec<Event>, Error> {
    let task_id = task_id.hyphenated().to_string();
    let rows = sqlx::query_as!(
        EventRow,
        r#"SELECT id AS "id!", task_id AS "task_id: Text", type AS "kind!: Text",
                  agent AS "agent: Text", message AS "message: Text", data AS "data!: Text",
                  at AS "at!: Text"
             FROM logs WHERE task_id = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4"#,
        task_id,
        after,
        upto,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(EventRow::into_event).collect())
}

struct EventRow {
    id: i64,
    task_id: Option<Text>,
    kind: Text,
    agent: Option<Text>,
    message: Option<Text>,
    data: Text,
    at: Text,
}

impl EventRow {
    /// The row as an event. A row that another program wrote wrongly is still passed on, as well as
    /// it can be: a journal that stops at a bad row would be worse.
    fn into_event(self) -> Event {
        let kind = self.kind.parse().unwrap_or(EventType::SystemLog);
        let at = self.at.parse().unwrap_or_else(|_| Timestamp::now());
        let mut event = Event::new(self.id, kind, at, self.data.into());
        event.task_id = self.task_id.and_then(|id| id.parse().ok());
        event.agent = self.agent.map(String::from);
        event.message = self.message.map(String::from);
        event
    }
}

/// One task's journal rows after row `since`, at most `limit`: ids, and the lines among them.
pub(super) async fn task_lines_after(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
    since: i64,
    limit: u32,
) -> Result<Vec<(i64, Option<String>)>, Error> {
    let id = id.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", message AS "message: Text" FROM logs
            WHERE task_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"#,
        id,
        since,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id, row.message.map(String::from)))
        .collect())
}
