//! Who hears about a commit.
//!
//! The Writer hands every commit's events to the [`Bus`], after the commit. A [`Feed`] is one
//! listener's place in the journal: it reads rows that are already stored, then follows the bus, and
//! is told what it missed if it cannot keep up. Nobody waits for a listener.

mod bus;
mod feed;

pub(crate) use bus::Bus;
#[cfg(test)]
pub(crate) use bus::{Listening, Since};
pub(crate) use feed::{Delivery, Feed, Filter, Journal};
