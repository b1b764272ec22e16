//! The SQL that reads the journal of one task for those who follow it: its log lines and its growing answer.

use sqlx::SqliteExecutor;

use crate::models::TaskId;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// What a journal row means to a client that follows its task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LogEntry {
    /// A line of the log.
    Line(String),
    /// The next piece of the answer.
    Output(String),
    /// The row has neither.
    Nothing,
}

/// Returns up to `limit` journal rows of one task after row `since`, with their ids.
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
            let entry = match (row.message, row.output) {
                (Some(line), _) => LogEntry::Line(line.into()),
                (None, Some(text)) => LogEntry::Output(text.into()),
                (None, None) => LogEntry::Nothing,
            };
            (row.id, entry)
        })
        .collect())
}

/// How a journal row changes the answer of a running task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AnswerUpdate {
    /// Another attempt begins, with an empty answer.
    Attempt,
    /// The answer grows by this text.
    Output(String),
}

/// Returns how the journal rows after `since` up to `upto` change the answer of one task, with their ids; at most
/// `limit` of them.
pub(crate) async fn answer_updates(
    conn: impl SqliteExecutor<'_>,
    id: TaskId,
    since: i64,
    upto: i64,
    limit: u32,
) -> Result<Vec<(i64, AnswerUpdate)>, Error> {
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
    let updates = rows.into_iter().map(|row| {
        let update = match row.is_attempt {
            true => AnswerUpdate::Attempt,
            false => AnswerUpdate::Output(row.output.map(String::from).unwrap_or_default()),
        };
        (row.id, update)
    });
    Ok(updates.collect())
}
