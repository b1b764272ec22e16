//! Which pending task may start: pure decisions in memory, and the SQL that reads pending tasks.

pub(super) mod capacity;
pub(super) mod due_since;
pub(super) mod explain;
pub(super) mod lanes;
pub(super) mod limits;
pub(super) mod pending_sql;
pub(super) mod queue_state;
pub(super) mod sliding_window;
pub(super) mod snapshot;
