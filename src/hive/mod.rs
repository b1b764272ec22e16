//! The Hive: runs tasks on other machines through Redis, in ARQ's wire format.
//!
//! SQLite stays the truth about every task; Redis carries jobs to workers and results back. The rooms: `wire` is the
//! format (pure); `redis` the connection; `cluster` the nodes and the commands that all of them follow; `dispatch`
//! the service's side, one job for each attempt; `worker` the other end, in a process of its own. `service` puts
//! the service's side together, and `handle` is what the rest of the program calls.

mod clock;
pub(crate) mod cluster;
mod dispatch;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod handle;
mod redis;
mod service;
mod service_listener;
pub(crate) mod wire;
mod worker;

pub(crate) use self::dispatch::job_status::{JobState, JobStatus};
pub(crate) use self::handle::{Error, Handle, Status};
pub(crate) use self::redis::error::ConnectionError;
pub(crate) use self::service::Hive;
pub(crate) use self::worker::{Worker, WorkerOptions};
