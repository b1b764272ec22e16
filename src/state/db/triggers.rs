//! The triggers of the Writer's connection.
//!
//! The triggers of the database check and complete what other programs write. The service checks its own before it
//! writes, and they would cost each of its statements: with a trigger on the table, SQLite copies the rows of an
//! `INSERT … SELECT` first. So they are off on the Writer's connection. What keeps `open_dependencies` is on as temporary
//! triggers, but for the INSERT: whoever inserts a task with dependencies inserts these rows too.

use sqlx::{AssertSqlSafe, SqliteConnection};

use crate::state::db::raw::connection::disable_triggers;

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

/// Switches the triggers of the database off on this connection, and its own on.
pub(crate) async fn replace(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    disable_triggers(conn).await?;
    sqlx::raw_sql(AssertSqlSafe(TEMPORARY)).execute(conn).await?;
    Ok(())
}
