//! The tables and columns of a migrated database, for the reference page of the schema.

use sqlx::{Connection, SqliteConnection};

use super::open::MIGRATIONS;

/// A table with its columns: name, type, and whether it may be NULL.
pub(crate) type Table = (String, Vec<(String, String, bool)>);

/// Returns the tables of a new database, without those that SQLite and the full-text index own.
pub(crate) async fn tables() -> Vec<Table> {
    let mut conn = SqliteConnection::connect("sqlite::memory:")
        .await
        .expect("a database in memory");
    MIGRATIONS
        .run(&mut conn)
        .await
        .expect("the migrations apply");
    let names: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'
            AND name NOT LIKE 'tasks_fts%' AND name NOT LIKE '\\_sqlx%' ESCAPE '\\' ORDER BY name",
    )
    .fetch_all(&mut conn)
    .await
    .expect("the list of tables");
    let mut tables = Vec::new();
    for name in names {
        let columns = sqlx::query_as(
            "SELECT name, type, \"notnull\" = 0 AND pk = 0 FROM pragma_table_info(?) ORDER BY cid",
        )
        .bind(&name)
        .fetch_all(&mut conn)
        .await
        .expect("the columns of a table");
        tables.push((name, columns));
    }
    tables
}
