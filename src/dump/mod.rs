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

pub(crate) mod export;
mod files;
pub(crate) mod format;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
pub(crate) mod import;
mod original_limit;
pub(crate) mod periodic;
pub(crate) mod state_file;
mod store;
#[cfg(test)]
mod test_store;

pub(crate) use files::{
    Draft, keep_aside, put_aside, remove_all_leftovers, remove_leftover_backups,
};
#[cfg(test)]
pub(crate) use format::fields::KNOWN_FIELDS;

pub(crate) use export::{export, export_stream};
pub(crate) use import::import_open;
pub(crate) use original_limit::too_large_for_the_original;
pub(crate) use periodic::Periodic;
pub(crate) use state_file::StateFile;
