//! The VFS under SQLite: connections through it and through SQLite's own VFS write and read the same files.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::state::db::files::beside;
use crate::state::db::vfs::log_sync::LogSync;
use crate::state::db::vfs::register;

const SEED: u64 = 13;

/// What the table holds: the length of each row's content.
type Rows = BTreeMap<i64, i64>;

/// Opens a database. Its cache is so small that transactions spill pages into the WAL.
async fn open(path: &Path, vfs: Option<&'static str>) -> SqliteConnection {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Normal)
        .pragma("journal_mode", "WAL")
        .pragma("cache_size", "5");
    let options = match vfs {
        Some(name) => options.vfs(name),
        None => options,
    };
    options.connect().await.unwrap()
}

async fn run(conn: &mut SqliteConnection, sql: impl Into<String>) {
    let sql = sqlx::raw_sql(AssertSqlSafe(sql.into()));
    sql.execute(conn).await.unwrap();
}

async fn rows(conn: &mut SqliteConnection) -> Rows {
    let rows = sqlx::query_as("SELECT id, length(content) FROM contents");
    let rows: Vec<(i64, i64)> = rows.fetch_all(conn).await.unwrap();
    rows.into_iter().collect()
}

/// Runs one random transaction.
async fn transact(conn: &mut SqliteConnection, rng: &mut fastrand::Rng, rows: &mut Rows) {
    let mut changed = rows.clone();
    run(conn, "BEGIN IMMEDIATE").await;
    for _ in 0..rng.usize(1..20) {
        let before = changed.clone();
        run(conn, "SAVEPOINT part").await;
        for _ in 0..rng.usize(1..8) {
            let (id, length) = (rng.i64(1..200), rng.i64(1..9000));
            changed.insert(id, length);
            run(
                conn,
                format!("INSERT OR REPLACE INTO contents VALUES ({id}, zeroblob({length}))"),
            )
            .await;
        }
        if rng.u8(..4) == 0 {
            run(conn, "ROLLBACK TO part").await;
            changed = before;
        }
        run(conn, "RELEASE part").await;
    }
    if rng.u8(..4) == 0 {
        run(conn, "ROLLBACK").await;
        return;
    }
    run(conn, "COMMIT").await;
    *rows = changed;
}

/// Opens copies of the database and the WAL alone, as the next start does after a crash.
async fn recovered(path: &Path) -> Rows {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    std::fs::copy(path, &copy).unwrap();
    std::fs::copy(beside(path, "-wal"), beside(&copy, "-wal")).unwrap();
    let mut conn = open(&copy, None).await;
    let check = sqlx::query_scalar("PRAGMA integrity_check");
    let check: String = check.fetch_one(&mut conn).await.unwrap();
    assert_eq!(check, "ok");
    rows(&mut conn).await
}

#[tokio::test]
async fn random_transactions_of_two_writers_are_read_and_recovered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venom.db");
    let mut ours = open(&path, Some(register())).await;
    let mut other = open(&path, None).await;
    let mut reader = open(&path, None).await;
    run(
        &mut ours,
        "CREATE TABLE contents (id INTEGER PRIMARY KEY, content BLOB)",
    )
    .await;
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut expected = Rows::new();
    for turn in 0..60 {
        let writer = match rng.u8(..4) {
            0 => &mut other,
            _ => &mut ours,
        };
        transact(writer, &mut rng, &mut expected).await;
        assert_eq!(rows(&mut reader).await, expected, "turn {turn}");
        if turn % 5 == 0 {
            assert_eq!(recovered(&path).await, expected, "turn {turn}");
        }
        match rng.u8(..12) {
            0 => run(&mut ours, "PRAGMA wal_checkpoint(TRUNCATE)").await,
            1 => run(&mut ours, "PRAGMA wal_checkpoint(RESTART)").await,
            2 => run(&mut other, "PRAGMA wal_checkpoint(PASSIVE)").await,
            _ => {}
        }
    }
    for conn in [ours, other, reader] {
        conn.close().await.unwrap();
    }
    assert_eq!(rows(&mut open(&path, None).await).await, expected);
}

#[tokio::test]
async fn the_log_is_synced_beside_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venom.db");
    assert!(LogSync::open(&path).is_err(), "there is no log");
    let mut conn = open(&path, Some(register())).await;
    run(&mut conn, "CREATE TABLE contents (id INTEGER)").await;
    let log = LogSync::open(&path).unwrap();
    log.sync().unwrap();
    std::thread::spawn(move || log.sync())
        .join()
        .unwrap()
        .unwrap();
    conn.close().await.unwrap();
}
