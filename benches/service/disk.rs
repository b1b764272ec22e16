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

/// Writes over blocks that exist, as SQLite does once its WAL has its size; growing a file would
/// measure the file system's own journal as well.
fn median_of_writes(folder: &Path) -> Result<Duration> {
    let mut file: File = tempfile::tempfile_in(folder)?;
    file.write_all(&BLOCK.repeat(WRITES))?;
    file.sync_all()?;
    file.rewind()?;
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        let start = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    times.sort();
    Ok(times[WRITES / 2])
}
