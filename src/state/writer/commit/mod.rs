//! The transaction of a batch: [`commit`] sends all of it as one command.
//!
//! Many rows travel as one JSON array (`jsonb_each(?)`), so that a commit costs a handful of statements
//! whatever its size. Each change of a status carries its guard in the `WHERE`; a row that is not
//! returned lost a race, which is a normal answer.

pub(in crate::state) mod arrays;

use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::stream::BoxStream;
use sqlx::sqlite::SqliteQueryResult;
use sqlx::{Either, SqliteConnection};

use crate::models::{Attempt, ClaimedTask, TaskId, Terms};
use crate::state::db::text::Text;
use crate::state::dispatch::due_since::DueKey;
use crate::state::error::Error;
use crate::state::journal::insert_log::InsertLog;
pub(crate) use arrays::{
    FinishAttempt, InsertStart, InsertStoredReply, InsertTask, SetLease, SetNote, SetProgress,
};

/// The rows that the transaction of a batch writes.
#[derive(Default)]
pub(crate) struct TxInput<'a> {
    /// New tasks, some of them as started.
    pub(crate) tasks: Vec<InsertTask<'a>>,
    pub(crate) stored_replies: Vec<InsertStoredReply<'a>>,
    /// The edges of their dependencies: (upstream, downstream).
    pub(crate) links: Vec<(TaskId, TaskId)>,
    pub(crate) progress: Vec<SetProgress>,
    /// Notes about running attempts.
    pub(crate) notes: Vec<SetNote<'a>>,
    /// Running attempts that become final.
    pub(crate) finished: Vec<FinishAttempt<'a>>,
    /// Row numbers of the PENDING tasks that start.
    pub(crate) claims: Vec<i64>,
    /// Leases of the attempts that start on outside workers.
    pub(crate) leases: Vec<SetLease>,
    /// The starts that rate limits count.
    pub(crate) starts: Vec<InsertStart<'a>>,
    pub(crate) logs: Vec<InsertLog<'a>>,
}

impl TxInput<'_> {
    /// Returns whether the short form of the transaction is enough.
    fn are_plain(&self) -> bool {
        self.stored_replies.is_empty()
            && self.links.is_empty()
            && self.progress.is_empty()
            && self.notes.is_empty()
            && self.leases.is_empty()
            && self.starts.is_empty()
            && !self.tasks.iter().any(InsertTask::is_planned)
    }
}

/// The values that a committed transaction returns.
#[derive(Default)]
pub(crate) struct TxOutput {
    /// Row number of the first inserted task; the others follow without a gap, in the order given.
    pub(crate) first_seq: i64,
    /// The claimed tasks that were still PENDING.
    pub(crate) claimed: Vec<ClaimedTask>,
    /// For each claimed task, the columns that say since when it was ready.
    pub(crate) due: Vec<DueKey>,
    /// Id of the first journal row; the others follow without a gap, in the order given.
    pub(crate) first_log: i64,
    /// Number of journal rows written: fewer than given if a guard kept some out.
    pub(crate) logs: u64,
}

/// Writes one transaction, from BEGIN to COMMIT, as a single command to SQLite's thread: on a busy machine
/// a switch of threads costs more than the statements.
pub(crate) async fn commit(
    conn: &mut SqliteConnection,
    changes: &TxInput<'_>,
    now: &str,
) -> Result<TxOutput, Error> {
    let applied = run_transaction(conn, changes, now).await;
    if applied.is_err() {
        // This is refused if SQLite has rolled back by itself.
        let _ = sqlx::query("ROLLBACK").execute(conn).await;
    }
    applied
}

/// Runs all statements of a query, and streams their answers.
macro_rules! fetch_many {
    ($query:expr, $conn:expr) => {{
        #[expect(
            deprecated,
            reason = "several statements in one command are the point, and SQLite's own"
        )]
        let answers = $query.fetch_many($conn);
        answers
    }};
}

/// The statements of a transaction, as a query. `$early` and `$late` are those that few transactions need.
macro_rules! transaction {
    ($early:literal, $late:literal, $plain:expr, ($($early_values:expr),*), $finished:expr, $claims:expr,
     ($($late_values:expr),*), $logs:expr, $now:expr) => {
        sqlx::query_as!(
            ClaimedRow,
            r#"BEGIN IMMEDIATE;

            INSERT INTO tasks (id, content, status, attempt, started_at, processor, priority, tags,
                               session_id, context_history, max_attempts, created_at, run_at, source)
            SELECT value ->> 0, value ->> 1,
                   iif(value ->> 2, 'PROCESSING', 'PENDING'), value ->> 2, iif(value ->> 2, now, NULL),
                   value ->> 3, value ->> 4, value -> 5, value ->> 6, coalesce(value ->> 7, '{}'),
                   value ->> 8, now, now, 'api'
              FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now);"#
            + $early +
            r#"
            UPDATE tasks
               SET status = ended.value ->> 2, result = ended.value ->> 3,
                   failure = ended.value ->> 4, error = coalesce(ended.value ->> 5, error),
                   finished_at = now, leased_until = NULL
              FROM jsonb_each(?) AS ended CROSS JOIN (SELECT ? AS now)
             WHERE tasks.seq = ended.value ->> 0 AND tasks.attempt = ended.value ->> 1
               AND +tasks.status = 'PROCESSING';

            UPDATE tasks
               SET status = 'PROCESSING', attempt = attempt + 1, started_at = ?, progress = NULL,
                   leased_until = NULL
             WHERE seq IN (SELECT value FROM jsonb_each(?)) AND +status = 'PENDING'
            RETURNING seq AS "seq!", id AS "id!: Text", attempt AS "attempt!",
                      processor AS "processor!: Text", content AS "content!: Text",
                      concurrency_key AS "concurrency_key: Text",
                      coalesce(max_attempts, 1) AS "max_attempts!: i64", uncounted AS "uncounted!",
                      timeout AS "timeout: f64", upstream IS NOT NULL AS "has_upstream!: bool",
                      run_at AS "run_at!: Text", source = 'import' AS "is_imported!: bool";"#
            + $late +
            r#"
            INSERT INTO logs (task_id, type, agent, message, data, at)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4,
                   coalesce(value ->> 5, now)
              FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now)
             WHERE value ->> 6 IS NULL
                OR EXISTS (SELECT 1 FROM tasks
                            WHERE seq = value ->> 6 AND attempt = value ->> 7
                              AND status = value ->> 8 AND coalesce(finished_at, now) = now);

            COMMIT"#,
            $plain, $now, $($early_values,)* $finished, $now, $now, $claims, $($late_values,)* $logs, $now
        )
    };
}

async fn run_transaction(
    conn: &mut SqliteConnection,
    changes: &TxInput<'_>,
    now: &str,
) -> Result<TxOutput, Error> {
    let tasks = serde_json::to_string(&changes.tasks)?;
    let finished = serde_json::to_string(&changes.finished)?;
    let claims = serde_json::to_string(&changes.claims)?;
    let logs = serde_json::to_string(&changes.logs)?;
    if changes.are_plain() {
        let plain = transaction!("", "", tasks, (), finished, claims, (), logs, now);
        return applied(changes, fetch_many!(plain, conn)).await;
    }
    // One statement writes all tasks, so that their row numbers follow their order.
    let (plain, planned) = match changes.tasks.iter().any(InsertTask::is_planned) {
        false => (tasks.as_str(), "[]"),
        true => ("[]", tasks.as_str()),
    };
    let replies = serde_json::to_string(&changes.stored_replies)?;
    let links = serde_json::to_string(&changes.links)?;
    let progress = serde_json::to_string(&changes.progress)?;
    let notes = serde_json::to_string(&changes.notes)?;
    let leases = serde_json::to_string(&changes.leases)?;
    let starts = serde_json::to_string(&changes.starts)?;
    // Expired starts are deleted with the next start, so that only users of rate limits pay for it.
    let over = if changes.starts.is_empty() { "" } else { now };
    let whole = transaction!(
        r#"
        INSERT INTO tasks (id, content, status, attempt, started_at, processor, priority, tags,
                           session_id, context_history, max_attempts, created_at, run_at, timeout,
                           concurrency_key, unique_key, upstream, blocked, source)
        SELECT value ->> 0, value ->> 1,
               iif(value ->> 2, 'PROCESSING', 'PENDING'), value ->> 2, iif(value ->> 2, now, NULL),
               value ->> 3, value ->> 4, value -> 5, value ->> 6, coalesce(value ->> 7, '{}'),
               value ->> 8, now, coalesce(value ->> 9, now), value ->> 10, value ->> 11,
               value ->> 12, value ->> 13, coalesce(value ->> 14, 0), 'api'
          FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now);

        INSERT INTO idempotency (key, body, task_ids, created_at)
        SELECT value ->> 0, unhex(value ->> 1), value -> 2, now
          FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now);

        INSERT OR IGNORE INTO links (upstream, downstream)
        SELECT value ->> 0, value ->> 1 FROM jsonb_each(?);

        UPDATE tasks SET progress = said.value ->> 2
          FROM jsonb_each(?) AS said
         WHERE tasks.seq = said.value ->> 0 AND tasks.attempt = said.value ->> 1
           AND +tasks.status = 'PROCESSING';

        UPDATE tasks
           SET context_history = CASE WHEN json_valid(context_history)
                   THEN json_set(context_history, note.value ->> 2, json(note.value ->> 3))
                   ELSE context_history END
          FROM jsonb_each(?) AS note
         WHERE tasks.seq = note.value ->> 0 AND tasks.attempt = note.value ->> 1
           AND +tasks.status = 'PROCESSING';
        "#,
        r#"
        UPDATE tasks SET leased_until = leased.value ->> 2
          FROM jsonb_each(?) AS leased
         WHERE tasks.id = leased.value ->> 0 AND tasks.attempt = leased.value ->> 1
           AND +tasks.status = 'PROCESSING';

        DELETE FROM starts WHERE until <= ?;

        INSERT OR IGNORE INTO starts (until, task_id, attempt, at, processor, concurrency_key)
        SELECT value ->> 0, value ->> 1, value ->> 2, now, value ->> 3, value ->> 4
          FROM jsonb_each(?) CROSS JOIN (SELECT ? AS now)
         WHERE value ->> 5 IS NULL
            OR EXISTS (SELECT 1 FROM tasks
                        WHERE seq = value ->> 5 AND attempt = value ->> 2
                          AND +status = 'PROCESSING');
        "#,
        plain,
        (planned, now, replies, now, links, progress, notes),
        finished,
        claims,
        (leases, over, starts, now),
        logs,
        now
    );
    applied(changes, fetch_many!(whole, conn)).await
}

/// A claimed row, as the transaction returns it.
struct ClaimedRow {
    seq: i64,
    id: Text,
    attempt: i64,
    processor: Text,
    content: Text,
    concurrency_key: Option<Text>,
    max_attempts: i64,
    uncounted: i64,
    timeout: Option<f64>,
    has_upstream: bool,
    run_at: Text,
    is_imported: bool,
}

impl ClaimedRow {
    fn due(&self) -> DueKey {
        DueKey {
            seq: self.seq,
            run_at: self.run_at.time_or_now(),
            was_held: self.has_upstream || self.uncounted > 0,
            is_imported: self.is_imported,
        }
    }

    fn into_task(self) -> Result<ClaimedTask, Error> {
        Ok(ClaimedTask {
            attempt: Attempt {
                seq: self.seq,
                task_id: self.id.parse_id()?,
                number: self.attempt,
            },
            content: self.content.into(),
            processor: self.processor.into(),
            concurrency_key: self.concurrency_key.map(String::from),
            terms: Terms {
                max_attempts: self.max_attempts,
                uncounted: self.uncounted,
                timeout: self
                    .timeout
                    .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
                has_upstream: self.has_upstream,
                lease: None,
            },
        })
    }
}

/// Collects the answers of the statements, once all have run.
async fn applied(
    changes: &TxInput<'_>,
    mut answers: BoxStream<'_, Result<Either<SqliteQueryResult, ClaimedRow>, sqlx::Error>>,
) -> Result<TxOutput, Error> {
    let mut done = Vec::with_capacity(13);
    let (mut claimed, mut due) = (Vec::new(), Vec::new());
    while let Some(answer) = answers.try_next().await? {
        match answer {
            Either::Left(statement) => done.push(statement),
            Either::Right(row) => {
                due.push(row.due());
                claimed.push(row.into_task()?);
            }
        }
    }
    let (tasks, logs) = match &done[..] {
        [_begin, tasks, _finished, _claims, logs, _commit] => (tasks, logs),
        [
            _begin,
            _plain,
            tasks,
            _once,
            _links,
            _progress,
            _notes,
            _finished,
            _claims,
            _leases,
            _over,
            _starts,
            logs,
            _commit,
        ] => (tasks, logs),
        _ => return Err(Error::Unavailable("a transaction was cut short".to_owned())),
    };
    Ok(TxOutput {
        first_seq: tasks.last_insert_rowid() - changes.tasks.len() as i64 + 1,
        claimed,
        due,
        first_log: logs.last_insert_rowid() - logs.rows_affected() as i64 + 1,
        logs: logs.rows_affected(),
    })
}
