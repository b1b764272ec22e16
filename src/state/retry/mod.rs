//! Attempts that end without a result, and tasks that go back to PENDING.

pub(super) mod automatic;
pub(super) mod by_operator;
pub(super) mod sql;
