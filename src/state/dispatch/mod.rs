//! Which pending task may start: pure decisions in memory, and the SQL that reads pending tasks.
//!
//! [`queue_state`] holds what the Writer knows, [`capacity`] what one transaction may start, and the files
//! named `*_sql` read the database.

pub(super) mod candidates_sql;
pub(super) mod capacity;
pub(super) mod due_since;
pub(super) mod due_sql;
pub(super) mod explain;
pub(super) mod lane_heads_sql;
pub(super) mod lanes;
pub(super) mod limits;
pub(super) mod memory_use;
pub(super) mod paused_processors;
pub(super) mod poll_slot;
pub(super) mod queue_state;
pub(super) mod recent_starts;
pub(super) mod running;
pub(super) mod sliding_window;
pub(super) mod snapshot;
