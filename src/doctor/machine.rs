//! Checks the version of SQLite and the limit on open files.

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::state::{check_version, sqlite_version};

/// The fewest open files that a service needs besides connections.
const FILES_BESIDE_CONNECTIONS: u64 = 256;

/// Checks the version of the built-in SQLite.
pub(crate) fn sqlite() -> Finding {
    match check_version() {
        Ok(()) => Finding::ok("sqlite", format!("{} is built in", sqlite_version())),
        Err(error) => Finding::fail("sqlite", error).advise("build venom with the bundled SQLite"),
    }
}

/// Checks that the limit on open files allows `max_connections`.
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
            format!("the limit is {allowed}, and max_connections is {max_connections}"),
        )
        .advise("raise `ulimit -Hn` (LimitNOFILE= of systemd), or lower max_connections"),
    }
}
