//! A VFS of our own over SQLite's: a commit is one write of the WAL.
//!
//! The connections that write use it; those that only read use SQLite's own on the same files.

mod base_file;
pub(in crate::state) mod disk;
#[cfg(test)]
pub(in crate::state) mod faults;
mod frames;
pub(in crate::state) mod log_sync;
#[cfg(test)]
pub(in crate::state) mod moments;
pub(in crate::state) mod power_cut;
mod shim;
#[cfg(test)]
mod tests;
mod undo_log;

use std::sync::OnceLock;

/// Registers the VFS at the first call, and returns its name.
pub(crate) fn register() -> &'static str {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| shim::register(c"venom"));
    "venom"
}
