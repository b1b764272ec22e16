//! The triggers of the Writer's connection.
//!
//! The triggers of the database check and complete what other programs write. The service checks its own before it
//! writes, and they would cost each of its statements: with a trigger on the table, SQLite copies the rows of an
//! `INSERT … SELECT` first. So they are off on the Writer's connection. What keeps `open_dependencies` is on as temporary
//! triggers, but for the INSERT: whoever inserts a task with dependencies inserts these rows too.
//!
//! A database may have triggers that other programs have made. While it has one, all of them are on here too; those that
//! do the same as a temporary one change nothing any more.

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::state::db::raw::connection::enable_triggers;

/// Whether the database has a trigger that is none of the schema's.
pub(crate) const HAS_FOREIGN: &str = "
    SELECT EXISTS (
        SELECT 1 FROM main.sqlite_schema
         WHERE type = 'trigger'
           AND name NOT IN ('tasks_submitted_by_sql', 'tasks_changed_by_sql', 'tasks_limited_by_sql',
                            'tasks_limits_changed_by_sql', 'dependencies_open', 'dependencies_open_again',
                            'dependencies_end', 'dependencies_go'))";

/// Deletes or restores the rows of a task in `open_dependencies` when it ends, begins again, or goes: as the triggers of
/// the same names do for other programs.
const TEMPORARY: &str = "
    CREATE TEMP TRIGGER dependencies_open_again AFTER UPDATE OF finished_at ON main.tasks
        WHEN OLD.upstream IS NOT NULL AND OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL
    BEGIN
        INSERT OR IGNORE INTO open_dependencies (upstream, downstream)
        SELECT value, NEW.id FROM json_each(CASE WHEN json_valid(NEW.upstream) THEN NEW.upstream ELSE '[]' END);
    END;

    CREATE TEMP TRIGGER dependencies_end AFTER UPDATE OF finished_at ON main.tasks
        WHEN OLD.upstream IS NOT NULL AND OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
    BEGIN
        DELETE FROM open_dependencies WHERE downstream = OLD.id;
    END;

    CREATE TEMP TRIGGER dependencies_go AFTER DELETE ON main.tasks
        WHEN OLD.upstream IS NOT NULL AND OLD.finished_at IS NULL
    BEGIN
        DELETE FROM open_dependencies WHERE downstream = OLD.id;
    END";

/// Switches the triggers of the database off on this connection unless other programs have made some, and its own on.
pub(crate) async fn replace(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let has_foreign: bool = sqlx::query_scalar(HAS_FOREIGN)
        .fetch_one(&mut *conn)
        .await?;
    enable_triggers(conn, has_foreign).await?;
    sqlx::raw_sql(AssertSqlSafe(TEMPORARY))
        .execute(conn)
        .await?;
    Ok(())
}
