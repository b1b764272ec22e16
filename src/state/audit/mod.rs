//! The audit: whether a database file is intact and its rows obey the service's rules.

pub(super) mod bounds;
mod invariants;
pub(super) mod run;
