//! The names and sizes of the files beside a database.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::state::db::open::behind_links;

/// Returns the path of the file with `suffix` beside a database. If the database's name is a link, it is beside the
/// file itself.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(behind_links(database));
    name.push(suffix);
    PathBuf::from(name)
}

/// Returns the size of the write-ahead log; 0 if there is none.
pub(crate) fn wal_bytes(database: &Path) -> u64 {
    fs::metadata(beside(database, "-wal")).map_or(0, |file| file.len())
}
