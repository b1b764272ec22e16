//! The SQL that reads the log of one task: its lines, and its size.

use sqlx::SqliteExecutor;
use utoipa::ToSchema;

use crate::models::TaskId;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// Returns how many lines its processor has added to a task's log, and their size in bytes.
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

/// One line of a task's log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, ToSchema)]
pub(crate) struct LogLine {
    pub(crate) id: i64,
    #[schema(format = DateTime)]
    pub(crate) at: String,
    /// Type of the event that the line belongs to.
    #[serde(rename = "type")]
    pub(crate) kind: String,
    /// Source of the line; `null` for the service itself.
    #[schema(required)]
    pub(crate) agent: Option<String>,
    pub(crate) line: String,
    /// The line with its colours as `ESC [ … m`; absent if it has none.
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

/// A selection of log lines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogPart {
    /// Only lines after the one with this id.
    pub(crate) since: i64,
    /// Number of lines at most.
    pub(crate) limit: u32,
    /// If there are more lines than `limit`, take the last ones instead of the first.
    pub(crate) tail: bool,
    /// Only the lines of the service itself, without the output of the processor.
    pub(crate) steps: bool,
}

/// Selects lines in the order `$order`.
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

/// Returns the selected lines of one task's log, oldest first.
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
