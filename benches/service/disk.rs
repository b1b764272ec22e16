//! What a durable write costs on the disk under the database, without any database.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Result;

const WRITES: usize = 101;
const BLOCK: [u8; 4096] = [7; 4096];

/// The median time of a 4 KiB write and its `fdatasync`: the floor of any durable answer.
pub async fn median_sync(folder: &Path) -> Result<Duration> {
    let folder = folder.to_owned();
    tokio::task::spawn_blocking(move || median_of_writes(&folder)).await?
}

fn median_of_writes(folder: &Path) -> Result<Duration> {
    let mut disk = Disk::open(folder)?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        times.push(disk.sync()?);
    }
    times.sort();
    Ok(times[WRITES / 2])
}

/// A file whose blocks exist and are written over in turn, as SQLite does once its WAL has its size; growing a file
/// would measure the file system's own journal as well.
pub struct Disk {
    file: File,
    written: usize,
}

impl Disk {
    pub fn open(folder: &Path) -> Result<Self> {
        let mut file = tempfile::tempfile_in(folder)?;
        file.write_all(&BLOCK.repeat(WRITES))?;
        file.sync_all()?;
        Ok(Self { file, written: 0 })
    }

    /// Returns how long a write and its `fdatasync` took. The thread waits for it.
    pub fn sync(&mut self) -> Result<Duration> {
        if self.written.is_multiple_of(WRITES) {
            self.file.rewind()?;
        }
        self.written += 1;
        let start = Instant::now();
        self.file.write_all(&BLOCK)?;
        self.file.sync_data()?;
        Ok(start.elapsed())
    }
}
