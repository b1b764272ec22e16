//! The journal: the rows of `logs` that each state change appends, and the SQL that reads them.

pub(super) mod append;
pub(super) mod entry;
pub(super) mod events;
pub(super) mod insert_log;
pub(super) mod starts;
pub(super) mod task_log;
pub(super) mod task_rows;
