//! The VFS under SQLite: connections through it and through SQLite's own VFS write and read the same files.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::state::db::vfs::faults::{FailingCall, Fault, FaultyDisk};
use crate::state::db::vfs::log_sync::LogSync;
use crate::state::db::vfs::moments::{Moments, copy_files};
use crate::state::db::vfs::power_cut::cut_power;
use crate::state::db::vfs::register;

const SEED: u64 = 13;
const TURNS: usize = 100;
/// The constraint makes SQLite keep a journal of each statement, so after a full disk it takes back the statement alone.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS contents
     (id INTEGER PRIMARY KEY, content BLOB CHECK (length(content) < 9999))";

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
    let mut conn = options.connect().await.unwrap();
    run(&mut conn, TABLE).await;
    conn
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

/// Opens the database and the WAL alone, as the next start does after a crash.
async fn recovered(path: &Path) -> Rows {
    let mut conn = open(path, None).await;
    let check = sqlx::query_scalar("PRAGMA integrity_check");
    let check: String = check.fetch_one(&mut conn).await.unwrap();
    assert_eq!(check, "ok");
    let rows = rows(&mut conn).await;
    conn.close().await.unwrap();
    rows
}

/// Runs random transactions of our connection and of another program's; calls of ours fail if the disk is faulty.
async fn transact_by_two(disk: impl FnOnce(&Path) -> Option<Arc<FaultyDisk>>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venom.db");
    let disk = disk(&path);
    let mut ours = open(&path, Some(register())).await;
    let mut other = open(&path, None).await;
    let mut reader = open(&path, None).await;
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
            let copy = copy_files(&path, &folder.path().join(turn.to_string()));
            assert_eq!(recovered(&copy).await, expected, "turn {turn}");
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
    let disk = FaultyDisk::of(&path);
    let mut conn = open(&path, Some(register())).await;
    let log = LogSync::open(&path).unwrap();
    disk.arm(Fault {
        call: FailingCall::Sync,
        nth: 1,
        lasts: false,
    });
    run(&mut conn, "INSERT INTO contents VALUES (1, 'x')").await;
    log.sync().unwrap_err();
    std::thread::spawn(move || log.sync())
        .join()
        .unwrap()
        .unwrap();
    conn.close().await.unwrap();
}

/// Commits and syncs of the WAL, each in its turn, over many checkpoints. Whatever a power cut takes, the commits up to
/// the last sync are there, and no later one without those before it.
#[tokio::test]
async fn what_the_log_sync_has_covered_survives_a_power_cut() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("venom.db");
    let [committed, synced] = [(); 2].map(|()| Arc::new(AtomicI64::new(0)));
    let moments = Arc::<Mutex<Vec<_>>>::default();
    let (seen, source) = ([&committed, &synced].map(Arc::clone), path.clone());
    let taken = Arc::clone(&moments);
    Moments::of(&path, move || {
        let mut moments = taken.lock().unwrap();
        let copy = copy_files(&source, &source.with_file_name(moments.len().to_string()));
        let [committed, synced] = seen.each_ref().map(|id| id.load(Ordering::SeqCst));
        moments.push((copy, committed, synced));
    });
    let mut conn = open(&path, Some(register())).await;
    run(&mut conn, "PRAGMA wal_autocheckpoint = 20").await;
    let log = LogSync::open(&path).unwrap();
    let mut rng = fastrand::Rng::with_seed(SEED);
    for id in 1..=TURNS as i64 {
        let insert = format!(
            "INSERT INTO contents VALUES ({id}, randomblob({}))",
            rng.u16(..9000)
        );
        run(&mut conn, &insert).await;
        committed.store(id, Ordering::SeqCst);
        if rng.bool() {
            log.sync().unwrap();
            synced.store(id, Ordering::SeqCst);
        }
    }
    conn.close().await.unwrap();
    let mut lost = 0;
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    for (copy, committed, synced) in moments {
        cut_power(&copy, &mut rng).unwrap();
        let ids: Vec<_> = recovered(&copy).await.into_keys().collect();
        let newest = ids.len() as i64;
        assert!(
            ids.into_iter().eq(1..=newest),
            "commits are missing before {newest}"
        );
        assert!(
            newest >= synced,
            "{newest} is there of {synced} synced commits"
        );
        lost += (committed - newest).max(0);
    }
    assert!(lost > 0, "the power cuts took nothing");
}
