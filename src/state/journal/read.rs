//! The SQL that reads the journal: for listeners that catch up, and for those who follow one task.

use sqlx::{SqliteConnection, SqliteExecutor};
use utoipa::ToSchema;

use crate::models::{Event, EventType, TaskId, Timestamp};
use crate::state::db::text::Text;
use crate::state::error::Error;

/// The newest journal row's id; 0 when there was never one.
pub(crate) async fn newest_event(conn: impl SqliteExecutor<'_>) -> Result<i64, Error> {
    let newest = sqlx::query_scalar!(r#"SELECT coalesce(max(id), 0) AS "id!: i64" FROM logs"#)
        .fetch_one(conn)
        .await?;
    Ok(newest)
}

/// Journal rows after `after`, up to `upto`, oldest first.
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

/// Journal rows of one task after `after`, up to `upto`, oldest first.
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

/// What a row of the journal says to those who follow its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogEntry {
    /// A line of the log.
    Line(String),
    /// More of the answer.
    Output(String),
    Nothing,
}

/// One task's journal rows after row `since`, at most `limit`, with their ids.
pub(crate) async fn task_rows_after(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
    since: i64,
    limit: u32,
) -> Result<Vec<(i64, LogEntry)>, Error> {
    let id = id.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", message AS "message: Text",
                  CASE WHEN type = 'TASK_OUTPUT' AND json_valid(data)
                       THEN CAST(data ->> '$.text' AS TEXT) END AS "output: Text"
             FROM logs WHERE task_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3"#,
        id,
        since,
        limit
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let said = match (row.message, row.output) {
                (Some(line), _) => LogEntry::Line(line.into()),
                (None, Some(text)) => LogEntry::Output(text.into()),
                (None, None) => LogEntry::Nothing,
            };
            (row.id, said)
        })
        .collect())
}

/// How many lines its processor has added to a task's log, and their bytes.
pub(crate) async fn log_size(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
) -> Result<(u64, u64), Error> {
    let id = id.hyphenated().to_string();
    let size = sqlx::query!(
        r#"SELECT count(*) AS "lines!: i64", coalesce(sum(octet_length(message)), 0) AS "bytes!: i64"
             FROM logs WHERE task_id = ?1 AND type = 'TASK_LOG'"#,
        id
    )
    .fetch_one(conn)
    .await?;
    Ok((size.lines.unsigned_abs(), size.bytes.unsigned_abs()))
}

/// What a row of the journal changes about the answer of a running task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Growth {
    /// Another attempt begins.
    Attempt,
    /// The answer has this more.
    Output(String),
}

/// The rows of one task's journal after row `since`, up to row `upto`, that change its answer, with their
/// ids; at most `limit`.
pub(crate) async fn task_growth(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
    since: i64,
    upto: i64,
    limit: u32,
) -> Result<Vec<(i64, Growth)>, Error> {
    let id = id.hyphenated().to_string();
    let rows = sqlx::query!(
        r#"SELECT id AS "id!", type = 'TASK_STARTED' AS "is_attempt!: bool",
                  CASE WHEN type = 'TASK_OUTPUT' AND json_valid(data)
                       THEN CAST(data ->> '$.text' AS TEXT) END AS "output: Text"
             FROM logs
            WHERE task_id = ?1 AND id > ?2 AND id <= ?3
              AND type IN ('TASK_STARTED', 'TASK_OUTPUT')
            ORDER BY id LIMIT ?4"#,
        id,
        since,
        upto,
        limit
    )
    .fetch_all(conn)
    .await?;
    let growth = rows.into_iter().map(|row| {
        let growth = match row.is_attempt {
            true => Growth::Attempt,
            false => Growth::Output(row.output.map(String::from).unwrap_or_default()),
        };
        (row.id, growth)
    });
    Ok(growth.collect())
}

/// One line of a task's log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub(crate) struct LogLine {
    pub(crate) id: i64,
    #[schema(format = DateTime)]
    pub(crate) at: String,
    /// The type of the event whose line it is.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Who speaks, where it is not the service itself.
    #[schema(required)]
    pub(crate) agent: Option<String>,
    pub(crate) line: String,
    /// The line with its colours, as `ESC [ … m`; only where it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ansi: Option<String>,
}

struct LineRow {
    id: i64,
    at: Text,
    kind: Text,
    agent: Option<Text>,
    line: Text,
    ansi: Option<Text>,
}

impl From<LineRow> for LogLine {
    fn from(row: LineRow) -> Self {
        Self {
            id: row.id,
            at: row.at.into(),
            kind: row.kind.into(),
            agent: row.agent.map(String::from),
            line: row.line.into(),
            ansi: row.ansi.map(String::from),
        }
    }
}

/// Which lines of a log are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPart {
    /// Those after the one with this id.
    pub(crate) since: i64,
    /// At most so many.
    pub(crate) limit: u32,
    /// If there are more, the last ones instead of the first.
    pub(crate) tail: bool,
    /// Only those that tell what became of the task, without what its processor printed.
    pub(crate) steps: bool,
}

/// The lines that come in this order.
macro_rules! query_lines {
    ($order:literal, $id:expr, $part:expr) => {
        sqlx::query_as!(
            LineRow,
            r#"SELECT id AS "id!", at AS "at!: Text", type AS "kind!: Text",
                      agent AS "agent: Text", message AS "line!: Text",
                      CASE WHEN data <> '{}' AND type = 'TASK_LOG' AND json_valid(data)
                           THEN CAST(data ->> '$.ansi' AS TEXT) END AS "ansi: Text"
                 FROM logs
                WHERE task_id = ?1 AND id > ?2 AND message IS NOT NULL
                  AND (NOT ?3 OR type <> 'TASK_LOG')
                ORDER BY "#
                + $order
                + " LIMIT ?4",
            $id,
            $part.since,
            $part.steps,
            $part.limit
        )
    };
}

/// A part of one task's log, oldest line first.
pub(crate) async fn task_log(
    conn: impl SqliteExecutor<'_>,
    task: TaskId,
    part: LogPart,
) -> Result<Vec<LogLine>, Error> {
    let id = task.hyphenated().to_string();
    let mut rows = match part.tail {
        true => query_lines!("id DESC", id, part).fetch_all(conn).await?,
        false => query_lines!("id", id, part).fetch_all(conn).await?,
    };
    if part.tail {
        rows.reverse();
    }
    Ok(rows.into_iter().map(LogLine::from).collect())
}

/// A start of an attempt, for the rates.
pub(crate) struct Start {
    task_id: TaskId,
    pub(crate) processor: String,
    pub(crate) key: Option<String>,
    pub(crate) at: Timestamp,
}

/// The starts after `since` that rates may look back on, oldest first.
///
/// Of what had a rate when it started all are kept, whatever has become of the tasks. Of the rest the
/// journal tells as far as it goes: for a rate that is new, or looks back further than before.
pub(crate) async fn starts_since(
    conn: &mut SqliteConnection,
    since: Timestamp,
    now: Timestamp,
) -> Result<Vec<Start>, Error> {
    let mut starts = kept_starts(conn, since).await?;
    starts.extend(journalled_starts(conn, since).await?);
    for start in &mut starts {
        // The clock was set back since: it counts for no longer than one of this moment.
        start.at = start.at.min(now);
    }
    // One task starts once at a time.
    starts.sort_by_key(|start| (start.at, start.task_id));
    starts.dedup_by_key(|start| (start.at, start.task_id));
    Ok(starts)
}

async fn kept_starts(conn: &mut SqliteConnection, since: Timestamp) -> Result<Vec<Start>, Error> {
    let since = since.to_string();
    let rows = sqlx::query!(
        r#"SELECT task_id AS "task_id!: Text", at AS "at!: Text",
                  processor AS "processor!: Text", concurrency_key AS "key: Text"
             FROM starts WHERE at >= ?1"#,
        since
    )
    .fetch_all(conn)
    .await?;
    let starts = rows.into_iter().filter_map(|row| {
        Some(Start {
            task_id: row.task_id.parse_id().ok()?,
            processor: row.processor.into(),
            key: row.key.map(String::from),
            at: row.at.time_or_now(),
        })
    });
    Ok(starts.collect())
}

/// Backwards from the newest row, to the first page that ends before `since`: the journal has no index
/// by time. Of more than 200,000 the last.
async fn journalled_starts(
    conn: &mut SqliteConnection,
    since: Timestamp,
) -> Result<Vec<Start>, Error> {
    const PAGE: i64 = 5000;
    const MOST: usize = 200_000;
    let since = since.to_string();
    let mut starts = Vec::new();
    let mut before = i64::MAX;
    loop {
        let rows = sqlx::query!(
            r#"SELECT logs.id AS "id!", logs.type AS "kind!: Text", logs.at AS "at!: Text",
                      logs.task_id AS "task_id: Text",
                      tasks.processor AS "processor: Text", tasks.concurrency_key AS "key: Text"
                 FROM logs LEFT JOIN tasks
                   ON logs.type = 'TASK_STARTED' AND tasks.id = logs.task_id
                WHERE logs.id < ?1 ORDER BY logs.id DESC LIMIT ?2"#,
            before,
            PAGE
        )
        .fetch_all(&mut *conn)
        .await?;
        let is_last = rows.last().is_none_or(|row| *row.at < *since);
        before = rows.last().map_or(0, |row| row.id);
        starts.extend(rows.into_iter().filter_map(|row| {
            let is_recent = *row.kind == *"TASK_STARTED" && *row.at >= *since;
            Some(Start {
                task_id: row.task_id?.parse_id().ok()?,
                processor: row.processor.filter(|_| is_recent)?.into(),
                key: row.key.map(String::from),
                at: row.at.time_or_now(),
            })
        }));
        if is_last || starts.len() >= MOST {
            return Ok(starts);
        }
    }
}
