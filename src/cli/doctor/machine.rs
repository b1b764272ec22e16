//! What the program and its machine bring along: SQLite, open files, and whether a service runs.

use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

use super::finding::Finding;
use crate::cli::client::Client;
use crate::cli::target::announced;
use crate::config::{self, Sources};
use crate::state::{check_version, sqlite_version};

/// Files beside connections that a service needs at the least.
const FILES_BESIDE_CONNECTIONS: u64 = 256;

pub(super) fn sqlite() -> Finding {
    match check_version() {
        Ok(()) => Finding::ok("sqlite", format!("{} is built in", sqlite_version())),
        Err(error) => {
            Finding::problem("sqlite", error).advise("build venom with the bundled SQLite")
        }
    }
}

pub(super) fn open_files(max_connections: usize) -> Finding {
    let allowed = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let wanted = max_connections as u64 + FILES_BESIDE_CONNECTIONS;
    match allowed < wanted {
        false => Finding::ok(
            "open files",
            format!("enough for {max_connections} connections"),
        ),
        true => Finding::warning(
            "open files",
            format!("{allowed} may be open, and max_connections is {max_connections}"),
        )
        .advise("raise `ulimit -Hn` (LimitNOFILE= of systemd), or lower max_connections"),
    }
}

/// Whether a service runs on the database and takes tasks.
pub(super) async fn service(database: &Path) -> Finding {
    let Some(url) = announced(database) else {
        return Finding::ok("service", "none runs on this database");
    };
    let ca_file = Sources::from_process().of_client(config::CA_FILE);
    let ca_file = ca_file.ok().flatten().map(|(path, _)| PathBuf::from(path));
    let answer = match Client::new(&url, None, ca_file.as_deref()) {
        Ok(client) => client.get("/readyz").await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(_) => Finding::ok("service", format!("runs at {url} and takes tasks")),
        Err(error) => Finding::warning("service", format!("{url} takes no tasks: {error}"))
            .advise("its log says why; if it was killed, start it again"),
    }
}
