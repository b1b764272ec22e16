//! The statements of a transaction, prepared for good. Each reads its rows from a virtual table of the batch.
//!
//! The name of each begins with `temp.`, so that a table which another program has made is never meant. sqlx does not
//! check the statements; the test below prepares them against the migrated schema.

use sqlx::SqliteConnection;

use super::rows::{
    ClaimTask, FinishAttempt, InsertEdge, InsertStart, InsertStoredReply, InsertTask, SetLease,
    SetNote, SetProgress,
};
use crate::state::db::raw::connection::RawConnection;
use crate::state::db::raw::failure::SqliteFailure;
use crate::state::db::raw::row_table::{RowTable, TableRow};
use crate::state::db::raw::statement::{Changes, ResultRow, Statement};
use crate::state::db::raw::value::SqlValue;
use crate::state::db::triggers;
use crate::state::error::Error;
use crate::state::journal::insert_log::InsertLog;

/// Tasks without the columns that few tasks have.
const INSERT_PLAIN_TASKS: &str = "
    INSERT INTO tasks (id, content, status, attempt, started_at, processor, priority, tags, session_id,
                       context_history, max_attempts, created_at, run_at, source)
    SELECT id, content, iif(started, 'PROCESSING', 'PENDING'), started, iif(started, ?1, NULL), processor, priority,
           tags, session_id, history, max_attempts, ?1, ?1, 'api'
      FROM temp.new_tasks";

const INSERT_TASKS: &str = "
    INSERT INTO tasks (id, content, status, attempt, started_at, processor, priority, tags, session_id,
                       context_history, max_attempts, created_at, run_at, timeout, concurrency_key, unique_key,
                       upstream, blocked, source)
    SELECT id, content, iif(started, 'PROCESSING', 'PENDING'), started, iif(started, ?1, NULL), processor, priority,
           tags, session_id, history, max_attempts, ?1, coalesce(run_at, ?1), timeout, concurrency_key, unique_key,
           upstream, blocked, 'api'
      FROM temp.new_tasks";

const INSERT_STORED_REPLIES: &str = "
    INSERT INTO idempotency (key, body, task_ids, created_at)
    SELECT key, body, task_ids, ?1 FROM temp.new_replies";

const INSERT_LINKS: &str = "
    INSERT OR IGNORE INTO links (upstream, downstream)
    SELECT upstream, downstream FROM temp.new_edges WHERE blocks";

const INSERT_OPEN_DEPENDENCIES: &str = "
    INSERT OR IGNORE INTO open_dependencies (upstream, downstream)
    SELECT upstream, downstream FROM temp.new_edges";

const SET_PROGRESS: &str = "
    UPDATE tasks SET progress = said.progress
      FROM temp.new_progress AS said
     WHERE tasks.seq = said.seq AND tasks.attempt = said.attempt AND +tasks.status = 'PROCESSING'";

const SET_NOTES: &str = "
    UPDATE tasks
       SET context_history = CASE WHEN json_valid(context_history)
               THEN json_set(context_history, note.path, json(note.value))
               ELSE context_history END
      FROM temp.new_notes AS note
     WHERE tasks.seq = note.seq AND tasks.attempt = note.attempt AND +tasks.status = 'PROCESSING'";

const FINISH_ATTEMPTS: &str = "
    UPDATE tasks
       SET status = ended.status, result = ended.result, failure = ended.failure,
           error = coalesce(ended.error, tasks.error), finished_at = ?1, leased_until = NULL
      FROM temp.new_ends AS ended
     WHERE tasks.seq = ended.seq AND tasks.attempt = ended.attempt AND +tasks.status = 'PROCESSING'";

const CLAIM_TASKS: &str = "
    UPDATE tasks
       SET status = 'PROCESSING', attempt = attempt + 1, started_at = ?1, progress = NULL, leased_until = NULL
     WHERE seq IN (SELECT seq FROM temp.new_claims) AND +status = 'PENDING'
    RETURNING seq, id, attempt, processor, content, concurrency_key, coalesce(max_attempts, 1), uncounted,
              timeout, upstream IS NOT NULL, run_at, source = 'import'";

const SET_LEASES: &str = "
    UPDATE tasks SET leased_until = leased.until
      FROM temp.new_leases AS leased
     WHERE tasks.id = leased.task_id AND tasks.attempt = leased.attempt AND +tasks.status = 'PROCESSING'";

const DELETE_EXPIRED_STARTS: &str = "DELETE FROM starts WHERE until <= ?1";

const INSERT_STARTS: &str = "
    INSERT OR IGNORE INTO starts (until, task_id, attempt, at, processor, concurrency_key)
    SELECT until, task_id, attempt, ?1, processor, concurrency_key
      FROM temp.new_starts AS new
     WHERE seq IS NULL
        OR EXISTS (SELECT 1 FROM tasks
                    WHERE tasks.seq = new.seq AND tasks.attempt = new.attempt AND +status = 'PROCESSING')";

const INSERT_LOGS: &str = "
    INSERT INTO logs (task_id, type, agent, message, data, at)
    SELECT task_id, type, agent, message, data, coalesce(at, ?1)
      FROM temp.new_logs
     WHERE if_seq IS NULL
        OR EXISTS (SELECT 1 FROM tasks
                    WHERE seq = if_seq AND attempt = if_attempt
                      AND status = if_status AND coalesce(finished_at, ?1) = ?1)";

/// The prepared statements of a transaction, and the tables of its rows.
pub(crate) struct Statements {
    pub(super) begin: Statement,
    pub(super) commit: Statement,
    pub(super) rollback: Statement,
    schema_version: Statement,
    has_foreign_triggers: Statement,
    /// The version of the schema at the last look.
    known_schema: Option<i64>,
    pub(super) insert_plain_tasks: OverRows,
    pub(super) insert_tasks: OverRows,
    pub(super) insert_stored_replies: OverRows,
    pub(super) insert_links: OverRows,
    pub(super) insert_open_dependencies: OverRows,
    pub(super) set_progress: OverRows,
    pub(super) set_notes: OverRows,
    pub(super) finish_attempts: OverRows,
    pub(super) claim_tasks: OverRows,
    pub(super) set_leases: OverRows,
    pub(super) delete_expired_starts: Statement,
    pub(super) insert_starts: OverRows,
    pub(super) insert_logs: OverRows,
    /// Declared last: statements are finalized before their handle is let go.
    pub(super) raw: RawConnection,
}

/// A statement that reads the rows of a virtual table.
pub(super) struct OverRows {
    statement: Statement,
    table: RowTable,
}

impl OverRows {
    fn prepare<R: TableRow>(raw: &RawConnection, sql: &str) -> Result<Self, SqliteFailure> {
        let table = RowTable::register::<R>(raw)?;
        Self::prepare_over(table, raw, sql)
    }

    fn prepare_over(
        table: RowTable,
        raw: &RawConnection,
        sql: &str,
    ) -> Result<Self, SqliteFailure> {
        let statement = raw.prepare(sql)?;
        Ok(Self { statement, table })
    }

    /// Runs the statement over these rows; not at all if there are none.
    pub(super) fn run<R: TableRow>(
        &mut self,
        rows: &[R],
        parameters: &[SqlValue<'_>],
    ) -> Result<Changes, SqliteFailure> {
        self.query(rows, parameters, |_| ())
    }

    /// The same, and hands each row of the result to `each`.
    pub(super) fn query<R: TableRow>(
        &mut self,
        rows: &[R],
        parameters: &[SqlValue<'_>],
        each: impl FnMut(&ResultRow<'_>),
    ) -> Result<Changes, SqliteFailure> {
        if rows.is_empty() {
            return Ok(Changes::default());
        }
        let Self { statement, table } = self;
        table.with_rows(rows, || statement.query(parameters, each))
    }
}

impl Statements {
    /// Prepares the statements on the Writer's connection, which must outlive them.
    ///
    /// # Errors
    /// When one of them does not fit the schema.
    pub(crate) async fn prepare(conn: &mut SqliteConnection) -> Result<Self, Error> {
        let raw = RawConnection::of(conn).await?;
        Ok(Self::prepare_all(raw)?)
    }

    /// Looks whether another program has made triggers, which then take part.
    pub(crate) fn refresh_triggers(&mut self) -> Result<(), SqliteFailure> {
        let mut version = None;
        self.schema_version
            .query(&[], |row| version = Some(row.integer(0)))?;
        if version != self.known_schema {
            let mut has_foreign = true;
            self.has_foreign_triggers
                .query(&[], |row| has_foreign = row.integer(0) != 0)?;
            self.raw.enable_triggers(has_foreign);
            self.known_schema = version;
        }
        Ok(())
    }

    /// Returns the number of pages in the log after the last commit.
    pub(crate) fn log_pages(&self) -> u32 {
        self.raw.log_pages()
    }

    fn prepare_all(raw: RawConnection) -> Result<Self, SqliteFailure> {
        let tasks = RowTable::register::<InsertTask<'_>>(&raw)?;
        let edges = RowTable::register::<InsertEdge>(&raw)?;
        Ok(Self {
            begin: raw.prepare("BEGIN IMMEDIATE")?,
            commit: raw.prepare("COMMIT")?,
            rollback: raw.prepare("ROLLBACK")?,
            schema_version: raw.prepare("PRAGMA main.schema_version")?,
            has_foreign_triggers: raw.prepare(triggers::HAS_FOREIGN)?,
            known_schema: None,
            insert_plain_tasks: OverRows::prepare_over(tasks, &raw, INSERT_PLAIN_TASKS)?,
            insert_tasks: OverRows::prepare_over(tasks, &raw, INSERT_TASKS)?,
            insert_stored_replies: OverRows::prepare::<InsertStoredReply<'_>>(
                &raw,
                INSERT_STORED_REPLIES,
            )?,
            insert_links: OverRows::prepare_over(edges, &raw, INSERT_LINKS)?,
            insert_open_dependencies: OverRows::prepare_over(
                edges,
                &raw,
                INSERT_OPEN_DEPENDENCIES,
            )?,
            set_progress: OverRows::prepare::<SetProgress>(&raw, SET_PROGRESS)?,
            set_notes: OverRows::prepare::<SetNote<'_>>(&raw, SET_NOTES)?,
            finish_attempts: OverRows::prepare::<FinishAttempt<'_>>(&raw, FINISH_ATTEMPTS)?,
            claim_tasks: OverRows::prepare::<ClaimTask>(&raw, CLAIM_TASKS)?,
            set_leases: OverRows::prepare::<SetLease>(&raw, SET_LEASES)?,
            delete_expired_starts: raw.prepare(DELETE_EXPIRED_STARTS)?,
            insert_starts: OverRows::prepare::<InsertStart<'_>>(&raw, INSERT_STARTS)?,
            insert_logs: OverRows::prepare::<InsertLog<'_>>(&raw, INSERT_LOGS)?,
            raw,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;
    use crate::state::db::open;

    #[tokio::test]
    async fn the_statements_fit_the_migrated_schema() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("venom.db");
        let mut connections = open::open(&path, Durability::Normal).await.unwrap();
        let table = "CREATE TABLE new_tasks (a_table_of_another_program)";
        sqlx::query(table)
            .execute(&mut connections.write)
            .await
            .unwrap();
        let prepared = Statements::prepare(&mut connections.write).await;
        prepared.map(drop).unwrap();
    }
}
