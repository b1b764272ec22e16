//! `state_dump.json`: the whole state as one file that the original reads and writes too.
//!
//! ```text
//! import_file ── format::read ──► chunks of tasks ──► Store   (reads the file twice: all or nothing)
//! export_file ◄─ format::write ◄─ pages of tasks ◄─── Store   (a draft beside the file, then a rename)
//! ```
//!
//! Everything is streamed: no part of it holds more than a few chunks of tasks, whatever the size
//! of the file. [`StateFile`] is the file at `STATE_FILE_PATH` and sees to it that nothing there is
//! ever lost; [`Periodic`] decides when it is written.

pub mod export;
mod files;
pub mod format;
pub mod import;
pub mod periodic;
pub mod state_file;
mod store;
#[cfg(test)]
mod test_store;

pub(crate) use files::{
    Draft, keep_aside, put_aside, remove_all_leftovers, remove_leftover_backups,
};

pub use export::{export, export_file, export_stream};
pub use import::{import_file, import_open};
pub use periodic::Periodic;
pub use state_file::{FirstStart, StateFile};
pub use store::Store;
