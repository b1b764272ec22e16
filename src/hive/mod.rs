//! The Hive: tasks that run on other machines, by way of Redis and in ARQ's format.
//!
//! SQLite stays the truth about every task; Redis carries jobs there and results back. `wire` is the format and
//! `link` the connection, and `check` whether Redis does what is needed of it. `service` is the Hive's part of a running service: `sender` what one attempt does, `job`
//! a task as a job and its result as an outcome, `scripts` what runs inside Redis, `flights` what is heard of all
//! jobs; `ends` ends those that nobody wants, `sweeper` finds them, and by `turns` neither meets an attempt. `handle`
//! is what the rest of the program asks. `control` are the orders to all nodes and `nodes` who they are; `member` is a
//! process among them, and `service_role` the part that a service plays. `worker` is the other end, in a process of
//! its own.

mod check;
pub(crate) mod control;
mod ends;
mod flights;
mod handle;
mod job;
mod keys;
mod link;
mod member;
pub(crate) mod nodes;
mod scripts;
mod sender;
mod server;
mod service;
mod service_role;
mod sweeper;
mod turns;
pub(crate) mod wire;
mod worker;

pub(crate) use self::handle::{Error, Handle, JobState, JobStatus, Status};
pub(crate) use self::link::LinkError;
pub(crate) use self::service::Hive;
pub(crate) use self::worker::{Worker, WorkerOptions};
