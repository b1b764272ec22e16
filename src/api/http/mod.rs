//! The HTTP server: accepts connections, checks hosts and addresses, limits time, and adds headers to answers.

pub(super) mod address_limit;
pub(super) mod client_addr;
pub(super) mod cors;
pub(super) mod headers;
pub(super) mod host_check;
pub(super) mod linger;
pub(super) mod protocol;
pub(super) mod refused_heads;
pub(super) mod route_index;
pub(super) mod server;
pub(super) mod socket_thread;
pub(super) mod tracing_span;
