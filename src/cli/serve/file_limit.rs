//! Open files: the soft limit of most systems, 1024, is less than the connections we promise.

use crate::processors::remember_file_limit;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files beside connections: the database, and the pipes of child processes.
const RESERVE: u64 = 65_536;
/// With less than that beside the connections, they cannot all be had.
const LEAST_RESERVE: u64 = 256;

/// Raises the soft limit on open files as far as it is needed and allowed.
///
/// Not simply to the hard limit, which may be a billion. Programs of tasks keep the limit of before.
pub(crate) fn raise_limit(max_connections: usize) {
    let connections = max_connections as u64;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = connections + RESERVE;
    let allowed = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // No limit is what `None` means.
    let mut limit = current.unwrap_or(u64::MAX);
    if limit < allowed {
        // Before the service's own is another: no program is started yet.
        remember_file_limit(Rlimit { current, maximum });
        let raised = Rlimit {
            current: Some(allowed),
            maximum,
        };
        match setrlimit(Resource::Nofile, raised) {
            Ok(()) => limit = allowed,
            Err(error) => tracing::debug!(%error, "the limit on open files stays"),
        }
    }
    if limit < connections + LEAST_RESERVE {
        tracing::warn!(
            limit,
            max_connections,
            "fewer files may be open than connections are allowed; raise `ulimit -n`"
        );
    }
}
