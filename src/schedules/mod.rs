//! Tasks that are submitted on a schedule: the due times of each `[schedules.NAME]`, and the loop that
//! submits.
//!
//! Each due time makes one task, exactly once: the state marks how far a schedule has come, and this
//! mark alone says what is next. Where it counts from:
//!
//! - A schedule that is first seen is marked then and waits for its first due time. The times of an
//!   `every` lie whole periods after that moment.
//! - Times at which the service did not run, was asleep with its machine, or had no such schedule are
//!   *missed*: one task stands for all of them, or none.
//! - Times at which a schedule was disabled, or had other times, are passed over.
//!
//! A clock that is set back makes no time due again.

mod cron;
mod listing;
mod scheduler;
mod timetable;

pub(crate) use listing::{Listed, list};
pub(crate) use scheduler::Scheduler;
