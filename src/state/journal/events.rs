//! The SQL that reads journal rows as events, for clients that catch up with the event stream.

use sqlx::SqliteExecutor;

use crate::models::{Event, EventType, TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Returns the id of the newest journal row; 0 if the journal is empty.
pub(crate) async fn newest_event(conn: impl SqliteExecutor<'_>) -> Result<i64, Error> {
    let newest = sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "id!: i64" FROM logs"#)
        .fetch_one(conn)
        .await?;
    Ok(newest)
}

/// Returns the journal rows after `after` up to `upto`, oldest first.
pub(crate) async fn events_after(
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

/// Returns the journal rows of one task after `after` up to `upto`, oldest first.
pub(crate) async fn task_events_after(
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
    /// Converts the row. Invalid columns get defaults, because a journal that stops at a damaged row would be
    /// worse.
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
