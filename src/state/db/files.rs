//! The files of a database.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::state::db::open::behind_links;

/// The file that SQLite or the service keeps beside a database under its name and `suffix`. Where the
/// database's name is a link, it is beside the file itself.
pub(crate) fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(behind_links(database));
    name.push(suffix);
    PathBuf::from(name)
}

/// What the write-ahead log takes; there is none before the first write.
pub(crate) fn wal_bytes(database: &Path) -> u64 {
    fs::metadata(beside(database, "-wal")).map_or(0, |file| file.len())
}
