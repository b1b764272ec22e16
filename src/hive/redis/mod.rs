//! The connection to Redis: the server, its key names, what it must permit, and reconnecting.

pub(super) mod access_check;
pub(super) mod connection;
pub(super) mod error;
pub(super) mod handle;
pub(super) mod keys;
pub(super) mod listener;
pub(super) mod server;
