//! `state_dump.json`: the whole state as one file that the original reads and writes too.
//!
//! ```text
//! import_file ── format::read ──► chunks of tasks ──► Store   (reads the file twice: all or nothing)
//! export      ◄─ format::write ◄─ pages of tasks ◄─── Store   (a draft beside the file, then a rename)
//! ```
//!
//! Everything is streamed: no part of it holds more than a few chunks of tasks, whatever the size
//! of the file. [`StateFile`] is the file at `STATE_FILE_PATH` and sees to it that nothing there is
//! ever lost; [`Periodic`] decides when it is written.

use std::path::Path;

pub(crate) mod export;
mod files;
pub(crate) mod format;
pub(crate) mod import;
pub(crate) mod periodic;
pub(crate) mod state_file;
mod store;
#[cfg(test)]
mod test_store;

pub(crate) use files::{
    Draft, keep_aside, put_aside, remove_all_leftovers, remove_leftover_backups,
};

/// The largest file that the original reads. A larger one it refuses, starts with no tasks, and then writes
/// its own over it.
pub(crate) const ORIGINAL_LIMIT_BYTES: u64 = 10 << 20;

/// What to tell whoever means to go back to the original, if this file is too large for it.
pub(crate) fn too_large_for_the_original(path: &Path, bytes: u64) -> Option<String> {
    (bytes > ORIGINAL_LIMIT_BYTES).then(|| {
        let mib = bytes as f64 / f64::from(1 << 20);
        format!(
            "{} has {mib:.1} MiB; the original reads at most {} MiB: it would start without tasks and \
             overwrite the file",
            path.display(),
            ORIGINAL_LIMIT_BYTES >> 20
        )
    })
}

pub(crate) use export::{export, export_stream};
pub(crate) use import::import_open;
pub(crate) use periodic::Periodic;
pub(crate) use state_file::StateFile;
pub(crate) use store::Store;
