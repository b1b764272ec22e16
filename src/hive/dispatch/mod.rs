//! The service side of the Hive: sends each attempt as a job, follows it to its outcome, cancels unwanted jobs.
//!
//! `dispatcher` sends (`job` is the body, `scripts` what Redis runs) and `follow` waits for the outcome. `in_flight` holds
//! the jobs that have not ended, each with its `job_watch`; `job_poller` checks them. `cancel` ends a job and
//! `orphan_reaper` finds those that no attempt follows; the `task_lock` keeps these two apart.

pub(super) mod cancel;
pub(super) mod dispatcher;
pub(super) mod follow;
pub(super) mod in_flight;
pub(super) mod job;
pub(super) mod job_counters;
pub(super) mod job_poller;
pub(super) mod job_status;
pub(super) mod job_watch;
pub(super) mod orphan_reaper;
pub(super) mod queues;
pub(super) mod scripts;
pub(super) mod task_lock;
