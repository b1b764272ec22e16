//! Who is let in: the tokens that are worth something at this moment.
//!
//! [`TokenText`] makes a token and its hash; the [`Keyring`] finds what a token grants; the [`Watch`]
//! keeps the ring in step with the table, which `venom token` writes beside the running service. What a
//! request needs is the API's business.

mod keyring;
mod network;
mod text;
mod watch;

pub use keyring::{Access, Key, Keyring};
pub use network::Network;
pub use text::TokenText;
pub use watch::Watch;
