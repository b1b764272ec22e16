//! The power is cut before each call for a file of the database. Whatever the disk kept of the writes that were not
//! synced, the next start opens the database, and everything acknowledged by then is there.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use tempfile::TempDir;

use super::workload::{Acknowledged, Record, problems, start};
use crate::config::Durability;
use crate::state::db::vfs::moments::{Moments, copy_files};
use crate::state::db::vfs::power_cut::cut_power;

/// Each such moment of the database's creation is taken.
const CREATION_STEP: usize = 5;
/// Power cuts whose checks run at the same time.
const AT_ONCE: usize = 4;

/// The files at one moment, and what was acknowledged by then.
struct Moment {
    database: PathBuf,
    acknowledged: Acknowledged,
}

/// Runs the workload in `folder`; returns the moments before its calls.
async fn moments(folder: &Path, durability: Durability) -> Vec<Moment> {
    let path = folder.join("venom.db");
    let moments = Arc::<Mutex<Vec<Moment>>>::default();
    let record = Record::default();
    let (taken, recorded, source) = (Arc::clone(&moments), Arc::clone(&record), path.clone());
    Moments::of(&path, move || {
        let mut moments = taken.lock().unwrap();
        let acknowledged = recorded.lock().unwrap().clone();
        let folder = source.with_file_name(moments.len().to_string());
        let database = copy_files(&source, &folder);
        moments.push(Moment {
            database,
            acknowledged,
        });
    });
    let mut running = start(&path, durability, record).await.unwrap();
    let created = moments.lock().unwrap().len();
    running.work(&path).await;
    running.close().await;
    let moments = std::mem::take(&mut *moments.lock().unwrap());
    let moments = moments.into_iter().enumerate();
    let chosen = moments.filter(|(number, _)| *number >= created || number % CREATION_STEP == 0);
    chosen.map(|(_, moment)| moment).collect()
}

/// Cuts the power at a moment and starts the service again; returns what is wrong then.
async fn problems_after_cut((seed, moment): (u64, &Moment)) -> Vec<String> {
    let path = &moment.database;
    cut_power(path, &mut fastrand::Rng::with_seed(seed)).unwrap();
    let started = start(path, Durability::Full, Record::default()).await;
    let running = started.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    running.close().await;
    problems(path, &moment.acknowledged).await
}

/// Returns what is wrong after power cuts at all moments of a workload.
async fn problems_after_cuts(durability: Durability) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let moments = moments(folder.path(), durability).await;
    let cuts = futures_util::stream::iter((0..).zip(&moments));
    let problems = cuts.map(problems_after_cut).buffered(AT_ONCE);
    problems.concat().await
}

#[tokio::test]
async fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    assert_eq!(problems_after_cuts(Durability::Full).await, [""; 0]);
}

/// The same test finds the loss when the Writer answers before the sync.
#[tokio::test]
async fn without_the_sync_a_power_cut_loses_what_was_acknowledged() {
    let problems = problems_after_cuts(Durability::Normal).await;
    let lost = |problem: &String| problem.ends_with(" is lost") || problem.ends_with(" is back");
    assert!(
        !problems.is_empty() && problems.iter().all(lost),
        "{problems:?}"
    );
}
