//! The database as another program sees it.

use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteQueryResult, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Row};

pub struct Database(pub SqliteConnection);

impl Database {
    pub async fn open(path: &Path) -> Self {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(false)
            .busy_timeout(crate::DEADLINE);
        Self(options.connect().await.expect("a database"))
    }

    /// Runs statements, as `sqlite3` would.
    pub async fn run(&mut self, sql: &str) -> Result<SqliteQueryResult, sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.0).await
    }

    pub async fn rows(&mut self, sql: &str) -> Vec<SqliteRow> {
        let query = sqlx::query(AssertSqlSafe(sql));
        query.fetch_all(&mut self.0).await.expect("rows")
    }

    pub async fn number(&mut self, sql: &str) -> i64 {
        self.rows(sql).await[0].get(0)
    }

    pub async fn text(&mut self, sql: &str) -> String {
        self.rows(sql).await[0].get(0)
    }

    /// The first column of every row, as text.
    pub async fn texts(&mut self, sql: &str) -> Vec<String> {
        self.rows(sql).await.iter().map(|row| row.get(0)).collect()
    }
}

/// Writes the journal of tasks that were inserted as completed at their first attempt.
pub const JOURNAL: &str = "
    INSERT INTO logs (task_id, type, message, data)
    SELECT id, 'TASK_CREATED', 'Task started: ' || created_at, '{}' FROM tasks;
    INSERT INTO logs (task_id, type, message, data)
    SELECT id, 'TASK_STARTED', 'Processing started: ' || started_at, '{\"attempt\":1}' FROM tasks;
    INSERT INTO logs (task_id, type, message, data)
    SELECT id, 'TASK_COMPLETED', 'Processing completed: ' || finished_at, '{}' FROM tasks";
