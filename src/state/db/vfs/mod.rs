//! A VFS of our own over SQLite's: a commit is one write of the WAL.
//!
//! The connections that write use it; those that only read use SQLite's own on the same files.

mod base_file;
mod frames;
pub(in crate::state) mod log_sync;
mod shim;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

/// Registers the VFS at the first call, and returns its name.
pub(crate) fn register() -> &'static str {
    static REGISTERED: OnceLock<()> = OnceLock::new();
    REGISTERED.get_or_init(|| shim::register(c"venom"));
    "venom"
}
