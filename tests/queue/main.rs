//! Which task starts when: limits, order, pauses, dependencies, retries, schedules and keys.

mod attempts;
mod bulk;
mod chains;
mod emergency_stop;
mod keys;
mod limits;
mod model;
mod once;
mod order;
mod pauses;
mod queue;
mod schedules;
mod waiting;
