//! Venom Core: a durable task service. Clients submit tasks by HTTP, by the command line or by an `INSERT`.
//! SQLite keeps them, processors run them, and listeners get their events.
//!
//! ```text
//!  HTTP · CLI · INSERT                                  WebSocket · SSE · venom watch
//!        │ submit                                                  ▲ events::Feed
//!        ▼                                                         │
//!   StateManager ── messages ──► Writer  (owns the one write connection)
//!        │                        one transaction a turn, claims included
//!        │                        → COMMIT → apply → publish → answer ───► events::Bus
//!        │ reads                      │           ▲
//!        ▼                            ▼           │ lines, progress, outcomes
//!     SQLite                     Orchestrator (owns the running set)
//!                                     │ spawn     ▲ abort · emergency stop
//!                                     ▼           │
//!                                 executor    QueueManager ◄── HTTP · CLI
//!                                     └─ Processor
//! ```
//!
//! The modules in layer order; each imports only from modules below it:
//!
//! - `cli`: the command line, one file for each command
//! - `app`: builds every part, starts the loops, stops them in order
//! - `api`: the HTTP and WebSocket interface
//! - `hive`: tasks that run on other machines, through Redis and ARQ
//! - `orchestrator`: runs claimed tasks, each to exactly one outcome; recovery after a crash
//! - `reload`: takes over a changed configuration while the service runs
//! - `doctor`: whether the machine, the disk and the database are what the service needs
//! - `schedules`: submits tasks on a schedule
//! - `dump`: `state_dump.json`, in and out
//! - `queue`: pause, resume, purge, abort, emergency stop
//! - `access`: which tokens are valid at this moment
//! - `systemd`: tells systemd: ready, alive, stopping
//! - `processors`: the ways to run a task
//! - `state`: the only door to SQLite, and the Writer behind it
//! - `events`: hands each commit to the listeners
//! - `metrics`: counters for Prometheus
//! - `traces`: spans for OpenTelemetry, and the context that a task carries
//! - `logging`: log records on standard error
//! - `config`: every setting and where it comes from
//! - `terminal`: what programs print for a terminal, as text that is safe anywhere
//! - `tls`: whom the program's own HTTP clients trust, and the service's certificate
//! - `models`: tasks, statuses, events, times: plain data and its rules
//!
//! `api` and `orchestrator` do not know each other: they meet in rows and in the commands of the
//! `queue`. ARCHITECTURE.md has the invariants and the walkthroughs.

mod access;
mod api;
mod app;
mod cli;
mod config;
mod doctor;
mod dump;
mod events;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
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
