//! The event stream: [`Bus`] (recent events) and [`Feed`] (one listener's position).
//!
//! The Writer publishes the events of each commit on the bus. A feed first reads rows that are stored already, then
//! follows the bus. A listener that cannot keep up gets EVENTS_MISSED. The Writer never waits for a listener.

mod bus;
mod feed;

pub(crate) use bus::Bus;
#[cfg(test)]
pub(crate) use bus::{Listening, Since};
pub(crate) use feed::{Delivery, Feed, Filter, Journal};
