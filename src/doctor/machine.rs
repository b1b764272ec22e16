//! What the program and its machine bring along: SQLite and open files.

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::state::{check_version, sqlite_version};

/// Files beside connections that a service needs at the least.
const FILES_BESIDE_CONNECTIONS: u64 = 256;

pub(crate) fn sqlite() -> Finding {
    match check_version() {
        Ok(()) => Finding::ok("sqlite", format!("{} is built in", sqlite_version())),
        Err(error) => Finding::fail("sqlite", error).advise("build venom with the bundled SQLite"),
    }
}

pub(crate) fn open_files(max_connections: usize) -> Finding {
    let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let wanted = max_connections as u64 + FILES_BESIDE_CONNECTIONS;
    match allowed < wanted {
        false => Finding::ok(
            "open files",
            format!("enough for {max_connections} connections"),
        ),
        true => Finding::warn(
            "open files",
            format!("{allowed} may be open, and max_connections is {max_connections}"),
        )
        .advise("raise `ulimit -Hn` (LimitNOFILE= of systemd), or lower max_connections"),
    }
}
