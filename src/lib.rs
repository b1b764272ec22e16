//! Venom Core: a durable task service. Tasks come in by HTTP, by the command line or by an `INSERT`,
//! are kept in SQLite, run by processors, and told of as they happen.
//!
//! ```text
//!  HTTP · CLI · INSERT                                  WebSocket · SSE · venom watch
//!        │ submit                                                  ▲ events::Feed
//!        ▼                                                         │
//!   StateManager ── requests ──► Writer  (owns the one write connection)
//!        │                        one transaction a turn, claims included
//!        │                        → COMMIT → claims → publish → answer ──► events::Bus
//!        │ reads                      │           ▲
//!        ▼                            ▼           │ lines, progress, outcomes
//!     SQLite                     Orchestrator (owns the running set)
//!                                     │ spawn     ▲ abort · emergency stop
//!                                     ▼           │
//!                                 executor    QueueManager ◄── HTTP · CLI
//!                                     └─ Processor
//! ```
//!
//! The modules in layer order; each imports only what stands below it:
//!
//! - [`cli`]: one file for each subcommand, from arguments to the exit code
//! - [`app`]: builds every part, starts the loops, stops them in order
//! - [`api`]: the HTTP and WebSocket interface
//! - [`access`]: which tokens are worth something at this moment
//! - [`hive`]: tasks that run on other machines, by way of Redis and ARQ
//! - [`orchestrator`]: runs claimed tasks, each to exactly one outcome; recovery after a crash
//! - [`dump`]: `state_dump.json`, in and out
//! - [`doctor`]: whether the machine, the disk and the database are what the service needs
//! - [`queue`]: pause, resume, purge, abort, emergency stop
//! - [`reload`]: settings taken over while the service runs
//! - [`schedules`]: tasks that are submitted by the clock
//! - [`processors`]: the ways to run a task
//! - [`state`]: the only door to SQLite, and the Writer behind it
//! - [`hive`]: ARQ's wire format, for tasks that go through Redis
//! - [`events`]: who hears about a commit
//! - [`metrics`]: what is counted for Prometheus
//! - [`models`]: the words of the service as plain data
//! - [`config`] and [`logging`]: every setting; the log
//! - [`traces`]: spans for OpenTelemetry, and what of them a task carries along
//! - [`terminal`]: what programs print for a terminal, as text that is safe anywhere
//! - [`tls`]: whom the program's own HTTP clients trust, and what the service shows to its own
//! - [`systemd`]: word to systemd, ready, alive and stopping
//!
//! [`api`] and [`orchestrator`] do not know each other: they meet in rows and in the orders of the
//! [`queue`]. ARCHITECTURE.md has the invariants and the walkthroughs.

mod access;
mod api;
mod app;
mod cli;
mod config;
mod doctor;
mod dump;
mod events;
#[cfg(test)]
mod generated;
mod hive;
mod logging;
mod metrics;
mod models;
mod orchestrator;
mod processors;
mod queue;
#[cfg(test)]
mod reference;
mod reload;
mod schedules;
mod state;
mod systemd;
mod terminal;
mod tls;
mod traces;

pub use cli::run;
// For tests and benches, which otherwise use the published interface alone.
pub use models::{Failure, Timestamp};
