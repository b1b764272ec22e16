//! Groups of flags that several commands share, and how their values are read.

pub(super) mod database_file;
pub(super) mod duration;
pub(super) mod new_task;
pub(super) mod pause_options;
pub(super) mod task_filter;
