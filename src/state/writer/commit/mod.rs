//! The transaction of a batch: [`Statements::commit`] writes all of it, on the Writer's own thread.
//!
//! Many rows are one virtual table, so that a commit costs a handful of statements whatever its size. Each
//! change of a status carries its guard in the `WHERE`; a row that is not returned lost a race, which is a
//! normal answer.

pub(in crate::state) mod rows;
pub(in crate::state) mod statements;

use std::time::Duration;

use crate::models::{Attempt, ClaimedTask, Terms};
use crate::state::db::open::BUSY_TIMEOUT;
use crate::state::db::raw::statement::ResultRow;
use crate::state::db::raw::value::SqlValue;
use crate::state::db::text::Text;
use crate::state::dispatch::due_since::DueKey;
use crate::state::error::Error;
use crate::state::journal::insert_log::InsertLog;
pub(crate) use rows::{
    ClaimTask, FinishAttempt, InsertEdge, InsertStart, InsertStoredReply, InsertTask, SetLease,
    SetNote, SetProgress,
};
pub(crate) use statements::Statements;

/// The rows that the transaction of a batch writes.
#[derive(Default)]
pub(crate) struct TxInput<'a> {
    /// New tasks, some of them as started.
    pub(crate) tasks: Vec<InsertTask<'a>>,
    pub(crate) stored_replies: Vec<InsertStoredReply<'a>>,
    /// The edges of their dependencies.
    pub(crate) edges: Vec<InsertEdge>,
    pub(crate) progress: Vec<SetProgress>,
    /// Notes about running attempts.
    pub(crate) notes: Vec<SetNote<'a>>,
    /// Running attempts that become final.
    pub(crate) finished: Vec<FinishAttempt<'a>>,
    /// The PENDING tasks that start.
    pub(crate) claims: Vec<ClaimTask>,
    /// Leases of the attempts that start on outside workers.
    pub(crate) leases: Vec<SetLease>,
    /// The starts that rate limits count.
    pub(crate) starts: Vec<InsertStart<'a>>,
    pub(crate) logs: Vec<InsertLog<'a>>,
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
    pub(crate) logs: i64,
}

impl Statements {
    /// Begins a transaction. Returns false if another program is writing.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn begin(&mut self) -> Result<bool, Error> {
        // The Writer does something else while it waits.
        self.raw.set_busy_timeout(Duration::ZERO);
        let begun = self.begin.run(&[]);
        self.raw.set_busy_timeout(BUSY_TIMEOUT);
        match begun {
            Ok(_) => Ok(true),
            Err(failure) if failure.is_busy() => Ok(false),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Ends the transaction that has begun, without a change.
    pub(crate) fn roll_back(&mut self) {
        // SQLite refuses this if it has rolled back by itself.
        let _ = self.rollback.run(&[]);
    }

    /// Writes the changes and ends the transaction that has begun. `now` is the time of all of them.
    ///
    /// # Errors
    /// When it could not be committed; then nothing has changed.
    pub(crate) fn commit(&mut self, changes: &TxInput<'_>, now: &str) -> Result<TxOutput, Error> {
        let written = self.write(changes, now);
        if written.is_err() {
            self.roll_back();
        }
        written
    }

    fn write(&mut self, changes: &TxInput<'_>, now: &str) -> Result<TxOutput, Error> {
        self.refresh_triggers()?;
        let now = &[SqlValue::from(now)];
        let TxInput {
            tasks,
            stored_replies,
            edges,
            progress,
            notes,
            finished,
            claims,
            leases,
            starts,
            logs,
        } = changes;
        // One statement writes all tasks, so that their row numbers follow their order.
        let inserted = match tasks.iter().any(InsertTask::is_planned) {
            false => self.insert_plain_tasks.run(tasks, now)?,
            true => self.insert_tasks.run(tasks, now)?,
        };
        self.insert_stored_replies.run(stored_replies, now)?;
        self.insert_links.run(edges, &[])?;
        self.insert_open_dependencies.run(edges, &[])?;
        self.set_progress.run(progress, &[])?;
        self.set_notes.run(notes, &[])?;
        self.finish_attempts.run(finished, now)?;
        let mut claimed = Vec::new();
        self.claim_tasks
            .query(claims, now, |row| claimed.push(ClaimedRow::read(row)))?;
        self.set_leases.run(leases, &[])?;
        if !starts.is_empty() {
            // With the next start, so that only users of rate limits pay for it.
            self.delete_expired_starts.run(now)?;
        }
        self.insert_starts.run(starts, now)?;
        let due = claimed.iter().map(ClaimedRow::due).collect();
        let claimed: Result<_, _> = claimed.into_iter().map(ClaimedRow::into_task).collect();
        let claimed = claimed?;
        let logged = self.insert_logs.run(logs, now)?;
        self.commit.run(&[])?;
        Ok(TxOutput {
            first_seq: inserted.last_row - tasks.len() as i64 + 1,
            claimed,
            due,
            first_log: logged.last_row - logged.rows + 1,
            logs: logged.rows,
        })
    }
}

/// A claimed row, as the transaction returns it.
struct ClaimedRow {
    seq: i64,
    id: Text,
    attempt: i64,
    processor: String,
    content: String,
    concurrency_key: Option<String>,
    max_attempts: i64,
    uncounted: i64,
    timeout: Option<f64>,
    has_upstream: bool,
    run_at: Text,
    is_imported: bool,
}

impl ClaimedRow {
    /// Reads a row of the statement that claims.
    fn read(row: &ResultRow<'_>) -> Self {
        Self {
            seq: row.integer(0),
            id: row.text(1).unwrap_or_default().into(),
            attempt: row.integer(2),
            processor: row.text(3).unwrap_or_default(),
            content: row.text(4).unwrap_or_default(),
            concurrency_key: row.text(5),
            max_attempts: row.integer(6),
            uncounted: row.integer(7),
            timeout: row.real(8),
            has_upstream: row.integer(9) != 0,
            run_at: row.text(10).unwrap_or_default().into(),
            is_imported: row.integer(11) != 0,
        }
    }

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
            content: self.content,
            processor: self.processor,
            concurrency_key: self.concurrency_key,
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
