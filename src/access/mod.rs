//! Token checks: keyring, hashes, and the watch that reloads it.
//!
//! [`TokenText`] creates a token and its hash; the keyring finds what a token grants; the [`Watch`] keeps the keyring in
//! step with the table of tokens, which `venom token` writes beside the running service. What a request requires is decided
//! by the API.

mod keyring;
mod network;
mod text;
mod watch;

pub(crate) use keyring::{Access, Key};
pub(crate) use network::Network;
pub(crate) use text::TokenText;
pub(crate) use watch::Watch;
