//! Who is let in: the tokens that are worth something at this moment.
//!
//! [`TokenText`] makes a token and its hash; the [`Keyring`] finds what a token grants; the [`Watch`]
//! keeps the ring in step with the table, which `venom token` writes beside the running service. What a
//! request needs is the API's business.

mod keyring;
mod network;
mod text;
mod watch;

pub(crate) use keyring::{Access, Key};
pub(crate) use network::Network;
pub(crate) use text::TokenText;
pub(crate) use watch::Watch;
