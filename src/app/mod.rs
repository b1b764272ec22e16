//! Builds every part of the service, starts its loops, and shuts them down in order.
//!
//! [`App::build`] opens what can fail, so a mistake is reported before the first request; [`App::run`] starts the loops
//! and shuts them down. `limits` turns settings into the limits of the queue.

mod build;
mod error;
mod limits;
mod run;

pub(crate) use build::App;
