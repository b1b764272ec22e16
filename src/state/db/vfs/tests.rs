//! The VFS under SQLite: connections through it and through SQLite's own VFS write and read the same files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::state::db::files::beside;
use crate::state::db::vfs::faults::{FailingCall, Fault, FaultyDisk};
use crate::state::db::vfs::log_sync::LogSync;
use crate::state::db::vfs::register;

const SEED: u64 = 13;
const TURNS: usize = 100;

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

async fn execute(conn: &mut SqliteConnection, sql: String) -> Result<(), sqlx::Error> {
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(conn).await;
    done.map(drop)
}

async fn run(conn: &mut SqliteConnection, sql: &str) {
    execute(conn, sql.to_owned()).await.unwrap();
}

async fn rows(conn: &mut SqliteConnection) -> Rows {
    let rows = sqlx::query_as("SELECT id, length(content) FROM contents");
    let rows: Vec<(i64, i64)> = rows.fetch_all(conn).await.unwrap();
    rows.into_iter().collect()
}

/// Returns a random statement, and changes the rows as it does.
fn change(rows: &mut Rows, rng: &mut fastrand::Rng) -> String {
    let (id, length) = (rng.i64(1..200), rng.i64(1..9000));
    if rng.u8(..4) > 0 {
        rows.insert(id, length);
        return format!("REPLACE INTO contents VALUES ({id}, randomblob({length}))");
    }
    // After a full disk, SQLite takes back this statement alone, since the constraint makes it keep a journal.
    for (_, of_row) in rows.iter_mut().filter(|(row, _)| *row % 20 == id % 20) {
        *of_row = length;
    }
    format!(
        "UPDATE contents SET content = randomblob({length}) WHERE id % 20 = {}",
        id % 20
    )
}

/// Runs one random transaction. After a failure it goes on if SQLite has not rolled back.
async fn transact(conn: &mut SqliteConnection, rng: &mut fastrand::Rng, rows: &mut Rows) {
    let mut changed = rows.clone();
    let mut done = execute(conn, "BEGIN IMMEDIATE".to_owned()).await;
    for _ in 0..rng.usize(1..20) {
        let before = changed.clone();
        done = done.and(execute(conn, "SAVEPOINT part".to_owned()).await);
        for _ in 0..rng.usize(1..8) {
            let sql = change(&mut changed, rng);
            done = match done {
                Ok(()) => execute(conn, sql).await,
                failed => failed,
            };
        }
        if done.is_err() || rng.u8(..4) == 0 {
            done = execute(conn, "ROLLBACK TO part".to_owned()).await;
            changed = before;
        }
        if done.is_err() {
            break;
        }
        done = execute(conn, "RELEASE part".to_owned()).await;
    }
    if done.is_ok() && rng.u8(..4) > 0 && execute(conn, "COMMIT".to_owned()).await.is_ok() {
        *rows = changed;
        return;
    }
    // SQLite refuses this if it has rolled back by itself.
    let _ = execute(conn, "ROLLBACK".to_owned()).await;
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

/// Runs random transactions of our connection and of another program's; calls of ours fail if the disk is faulty.
async fn transact_by_two(disk: impl FnOnce(&Path) -> Option<Arc<FaultyDisk>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venom.db");
    let disk = disk(&path);
    let mut ours = open(&path, Some(register())).await;
    let mut other = open(&path, None).await;
    let mut reader = open(&path, None).await;
    let table = "CREATE TABLE contents (id INTEGER PRIMARY KEY, content BLOB CHECK (length(content) < 9999))";
    run(&mut ours, table).await;
    let mut rng = fastrand::Rng::with_seed(SEED);
    let mut expected = Rows::new();
    for turn in 0..TURNS {
        if rng.u8(..4) == 0 {
            transact(&mut other, &mut rng, &mut expected).await;
        } else {
            let fault = random_fault(&mut rng);
            disk.iter().for_each(|disk| disk.arm(fault));
            transact(&mut ours, &mut rng, &mut expected).await;
            disk.iter().for_each(|disk| {
                disk.repair();
            });
        }
        assert_eq!(rows(&mut reader).await, expected, "turn {turn}");
        if turn % 4 == 0 {
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

fn random_fault(rng: &mut fastrand::Rng) -> Fault {
    let calls = [
        FailingCall::Read,
        FailingCall::Write,
        FailingCall::WriteOnFullDisk,
    ];
    Fault {
        call: calls[rng.usize(..calls.len())],
        nth: rng.u64(1..40),
        lasts: rng.bool(),
    }
}

#[tokio::test]
async fn random_transactions_of_two_programs_are_read_and_recovered() {
    transact_by_two(|_| None).await;
}

#[tokio::test]
async fn random_transactions_on_a_faulty_disk_are_whole_or_missing() {
    transact_by_two(|path| Some(FaultyDisk::of(path))).await;
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
