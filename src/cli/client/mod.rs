//! The client of a running service: which service a command means, its requests and answers, its event
//! streams, and how a command goes on after a lost connection.

pub(super) mod backoff;
pub(super) mod error_body;
pub(super) mod event_socket;
pub(super) mod follow;
pub(super) mod http;
pub(super) mod sent_token;
pub(super) mod target;
pub(super) mod task_pages;
