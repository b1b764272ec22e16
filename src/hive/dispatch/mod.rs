//! The service side of the Hive: sends each attempt as a job, follows it to its outcome, cancels what nobody wants.

pub(super) mod cancel;
pub(super) mod dispatcher;
pub(super) mod in_flight;
pub(super) mod job;
pub(super) mod orphan_reaper;
pub(super) mod scripts;
pub(super) mod task_lock;
