//! Connections: who may connect and under which name, how fast they must be, and what each answer carries.

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
