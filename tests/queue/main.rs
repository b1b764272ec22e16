//! Which task starts when: limits, order, pauses, dependencies, retries, schedules and keys.

mod attempts;
mod bulk;
mod concurrency_keys;
mod dependencies;
mod emergency_stop;
mod idempotency;
mod limits;
mod model;
mod pauses;
mod queue;
mod schedules;
mod start_order;
mod wait_and_explain;
