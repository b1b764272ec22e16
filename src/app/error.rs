//! Why the service did not start or stopped with a failure.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use crate::hive::ConnectionError;
use crate::state::{self, OpenError};

/// Why the service did not start, or failed while it ran or shut down: one sentence for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot listen on {address}: {source}{}", port_hint(source))]
    Listen {
        address: SocketAddr,
        source: std::io::Error,
    },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    State(#[from] state::Error),
    #[error(
        "the service on {address} requires authentication, and no valid token exists. Create one with \
         `venom token create NAME --role admin --database {}`, or disable authentication with --insecure",
        database.display()
    )]
    NoToken { address: IpAddr, database: PathBuf },
    #[error("cannot use TLS: {0}")]
    Tls(String),
    #[error("cannot export traces: {0}")]
    Traces(String),
    #[error("cannot start a thread: {0}")]
    Thread(std::io::Error),
    #[error("cannot start the Hive: {0}")]
    Hive(#[from] ConnectionError),
    #[error("the service stopped because {0}")]
    Died(String),
}

/// Returns advice for a port that could not be bound.
fn port_hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => "; choose another port with --port",
        std::io::ErrorKind::PermissionDenied => "; ports below 1024 need a privilege",
        _ => "",
    }
}
