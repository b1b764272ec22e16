//! How many pages a commit writes, from the header of the WAL's index.
//!
//! SQLite keeps two counts there: the frames in the WAL, which begin again at a restart of the WAL, and the commits.
//! A thread reads both every half millisecond, which costs the service nothing. A reading in the middle of an update is
//! off by one commit, and the next reading makes up for it.

use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::Result;

const PAUSE: Duration = Duration::from_micros(500);

/// Counts until `finish`.
pub struct WalCounter {
    stopped: Arc<AtomicBool>,
    thread: JoinHandle<std::io::Result<Counts>>,
}

#[derive(Default)]
pub struct Counts {
    pub commits: u32,
    /// Commits between two readings without a restart of the WAL, and their frames.
    seen: (u32, u32),
}

impl Counts {
    pub fn pages_each(&self) -> f64 {
        f64::from(self.seen.1) / f64::from(self.seen.0)
    }
}

impl WalCounter {
    /// `None` if the database's index is not in a file.
    pub fn start(database: &Path) -> Option<Self> {
        let mut index = File::open(database.with_extension("db-shm")).ok()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stopped);
        let thread = std::thread::spawn(move || count(&mut index, &seen));
        Some(Self { stopped, thread })
    }

    pub fn finish(self) -> Result<Counts> {
        self.stopped.store(true, Relaxed);
        let counts = self.thread.join().map_err(|_| "the counter panicked")?;
        Ok(counts?)
    }
}

fn count(index: &mut File, stopped: &AtomicBool) -> std::io::Result<Counts> {
    let mut counts = Counts::default();
    let mut last = read(index)?;
    while !stopped.load(Relaxed) {
        std::thread::sleep(PAUSE);
        let next = read(index)?;
        let commits = next.0.wrapping_sub(last.0);
        counts.commits += commits;
        if next.1 >= last.1 {
            counts.seen.0 += commits;
            counts.seen.1 += next.1 - last.1;
        }
        last = next;
    }
    Ok(counts)
}

/// Returns `iChange` and `mxFrame`, which are in the machine's byte order.
fn read(index: &mut File) -> std::io::Result<(u32, u32)> {
    let mut words = [[0; 4]; 5];
    index.rewind()?;
    index.read_exact(words.as_flattened_mut())?;
    Ok((u32::from_ne_bytes(words[2]), u32::from_ne_bytes(words[4])))
}
