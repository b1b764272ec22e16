//! Raises the soft limit on open files: most systems set 1024, which is less than `max_connections`.

use crate::processors::remember_file_limit;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files besides connections: the database, and the pipes of child processes.
const RESERVE: u64 = 65_536;
/// The fewest files besides connections with which `max_connections` can be reached.
const LEAST_RESERVE: u64 = 256;

/// Raises the soft limit on open files as far as the service needs and the hard limit allows.
///
/// The hard limit may be a billion, so the limit is not raised that far. Child processes of tasks keep the original
/// limit.
pub(crate) fn raise_limit(max_connections: usize) {
    let connections = max_connections as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = connections + RESERVE;
    let allowed = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // `None` means unlimited.
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < allowed {
        // The original limit has to be stored before the first child process starts.
        remember_file_limit(Rlimit { current, maximum });
        let raised = Rlimit {
            current: Some(allowed),
            maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = allowed,
            Err(error) => tracing::debug!(%error, "cannot raise the limit on open files"),
        }
    }
    if limit < connections + LEAST_RESERVE {
        tracing::warn!(
            limit,
            max_connections,
            "the limit on open files is too low for max_connections; raise `ulimit -n`"
        );
    }
}
