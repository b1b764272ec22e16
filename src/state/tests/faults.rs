//! Each call for a file of the database fails once, and from then on. Nothing acknowledged is lost, nothing is damaged,
//! and the service goes on when the disk works again.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tempfile::TempDir;

use super::workload::{Record, problems, start};
use crate::config::Durability;
use crate::state::db::vfs::faults::{FailingCall, Fault, FaultyDisk};

/// Time between two looks whether the service has noticed a fault.
const BETWEEN_LOOKS: Duration = Duration::from_millis(5);
/// Workloads that run at the same time: most of them wait for a retry.
const AT_ONCE: usize = 8;

/// Creates an empty database, which each run copies.
async fn create() -> TempDir {
    let folder = TempDir::new().unwrap();
    let running = start(
        &folder.path().join("venom.db"),
        Durability::Full,
        Record::default(),
    )
    .await;
    running.unwrap().close().await;
    folder
}

/// Runs the workload with a fault; returns whether a call met the fault.
async fn run(empty: &Path, fault: Fault) -> bool {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("venom.db");
    std::fs::copy(empty.join("venom.db"), &path).unwrap();
    let disk = FaultyDisk::of(&path);
    let record = Record::default();
    let mut running = start(&path, Durability::Full, Arc::clone(&record))
        .await
        .unwrap();
    disk.arm(fault);
    let has_met = match (fault.call, fault.lasts) {
        // Whoever waits for a sync waits until the disk works again.
        (FailingCall::Sync, true) => {
            let (state, disk) = (running.state.clone(), Arc::clone(&disk));
            let noticed = async {
                while state.health().problem().is_none() {
                    tokio::time::sleep(BETWEEN_LOOKS).await;
                }
                disk.repair()
            };
            let worked = running.work(&path);
            tokio::pin!(worked);
            tokio::select! {
                has_met = noticed => {
                    worked.await;
                    has_met
                }
                () = &mut worked => disk.repair(),
            }
        }
        _ => {
            running.work(&path).await;
            disk.repair()
        }
    };
    let before = record.lock().unwrap().submitted.len();
    running.submit(1).await;
    let after = record.lock().unwrap().submitted.len();
    assert_eq!(after, before + 1, "{fault:?}: it takes tasks again");
    disk.arm(fault);
    running.close().await;
    let has_met_at_close = disk.repair();
    let acknowledged = record.lock().unwrap().clone();
    let problems = problems(&path, &acknowledged).await;
    assert!(problems.is_empty(), "{fault:?}: {problems:?}");
    has_met || has_met_at_close
}

/// Lets the first, second, third … call fail, until the workload ends before that call. Then does so with calls that
/// fail from then on, for each third of them.
async fn sweep(call: FailingCall) {
    let empty = create().await;
    for (lasts, step) in [(false, 1), (true, 3)] {
        let mut numbers = (1..).step_by(step);
        loop {
            let numbers = numbers.by_ref().take(AT_ONCE);
            let runs = numbers.map(|nth| run(empty.path(), Fault { call, nth, lasts }));
            if !join_all(runs).await.contains(&true) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn each_write_fails() {
    sweep(FailingCall::Write).await;
}

#[tokio::test]
async fn each_write_finds_the_disk_full() {
    sweep(FailingCall::WriteOnFullDisk).await;
}

#[tokio::test]
async fn each_sync_fails() {
    sweep(FailingCall::Sync).await;
}

#[tokio::test]
async fn each_truncation_fails() {
    sweep(FailingCall::Truncate).await;
}

#[tokio::test]
async fn each_read_fails() {
    sweep(FailingCall::Read).await;
}
