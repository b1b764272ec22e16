//! The StateManager: the only door to SQLite.
//!
//! [`open`] locks, migrates and reads the database; [`Opened::recover`] puts right what a crash has
//! left; [`Opened::start`] starts the Writer and gives out the [`StateManager`], a cheap handle
//! whose verbs are messages to the Writer (everything that changes something) or queries on the read
//! pool (everything else).
//!
//! Nothing that got an error was stored; what got an answer is on disk.

mod audit;
mod commands;
mod db;
mod dependencies;
mod dispatch;
mod error;
mod fts;
mod import;
mod journal;
mod query;
mod retention;
mod retry;
mod schedules;
mod startup;
mod stats;
mod store;
#[cfg(test)]
mod tests;
mod tokens;
mod writer;

pub(crate) use audit::bounds::{AuditStopped, Bounds};
pub(crate) use audit::run::{Audit, audit, audit_within, glance};
pub(crate) use commands::delete::Deleted;
pub(crate) use commands::pause::{PauseQueue, Paused};
pub(crate) use commands::reconfigure::Reconfigured;
pub(crate) use commands::resume::Resumed;
pub(crate) use commands::retry::Retried;
pub(crate) use commands::submit_scheduled::Due;
pub(crate) use db::backup::{Source, fold};
#[cfg(test)]
pub(crate) use db::describe::tables as describe_tables;
pub(crate) use db::files::behind_links;
pub(crate) use db::files::{beside, wal_bytes};
pub(crate) use db::lock::{Lock, announced_address, check_in_place};
pub(crate) use db::open::{check_version, sqlite_version};
pub(crate) use db::open_error::OpenError;
pub(crate) use db::vfs::disk::RECORD_WRITES;
pub(crate) use db::vfs::power_cut::cut_power;
pub(crate) use dependencies::Upstream;
pub(crate) use dispatch::explain::{ExplainedTask, Obstacle, ProcessorStatus};
pub(crate) use dispatch::limits::{ExecutionSite, Limit, Limits};
pub(crate) use dispatch::sliding_window::SlidingWindow;
pub(crate) use dispatch::snapshot::QueueSnapshot;
pub(crate) use error::Error;
pub(crate) use import::ImportReport;
pub(crate) use journal::task_log::{LogLine, LogPart};
pub(crate) use journal::task_rows::{AnswerUpdate, LogEntry};
pub(crate) use query::final_states::{FinalState, fates};
pub(crate) use query::list::Page;
pub(crate) use retention::Retention;
pub(crate) use retry::requeue::RetryAt;
pub(crate) use schedules::Progress;
pub(crate) use startup::{Opened, Recovered, Start, WriterHandle, open};
pub(crate) use stats::{Chart, Window};
pub(crate) use store::StateManager;
pub(crate) use store::bulk::Bulk;
pub(crate) use store::overview::{Downstream, FileUse, TaskCounts};
pub(crate) use tokens::{RestoredTokens, TokenStore, count_tokens, keep_tokens};
pub(crate) use writer::background::Purged;
