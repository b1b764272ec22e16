//! Tasks that become PENDING again: the SQL of automatic retries, of crashes and of retries by hand. The glue is in
//! `writer/reschedule` and `commands/retry`.

pub(super) mod requeue;
pub(super) mod sql;
