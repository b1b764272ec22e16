//! The StateManager: the only door to SQLite.
//!
//! [`open`] locks, migrates and reads the database; [`Opened::recover`] puts right what a crash has
//! left; [`Opened::start`] starts the Writer and gives out the [`StateManager`], a cheap handle
//! whose verbs are messages to the Writer (everything that changes something) or queries on the read
//! pool (everything else).
//!
//! Nothing that got an error was stored; what got an answer is on disk.

mod admission;
mod announce;
mod attempts;
mod audit;
mod batch;
mod bulk;
mod chains;
mod checkpoint;
mod chore;
mod circles;
mod claims;
mod clock;
mod closed;
mod connect;
mod copies;
mod counter;
mod deletion;
mod error;
mod explain;
mod fates;
mod files;
mod fold;
mod handle;
mod health;
mod history;
mod import;
mod index;
mod journal;
mod lanes;
mod ledger;
mod limits;
mod lists;
mod load;
mod lock;
mod manual;
mod meta;
mod meters;
mod offers;
mod open;
mod open_files;
mod orders;
mod overview;
mod questions;
mod rate;
mod reads;
mod ready;
mod reconfigure;
mod request;
mod retention;
mod retries;
mod room;
mod rows;
mod schedules;
mod search;
mod settle;
mod stats;
mod stored;
mod submissions;
#[cfg(test)]
mod tests;
mod text;
mod tokens;
mod transaction;
mod waiters;
mod waiting;
mod words;
mod writer;
mod writes;

pub use audit::INVARIANTS;
pub(crate) use audit::{Audit, Bounds, Stopped, audit, audit_within, glance};
pub(crate) use batch::Once;
pub(crate) use bulk::Bulk;
pub(crate) use chains::Upstream;
pub(crate) use connect::{OpenError, behind_links, check_version, sqlite_version};
pub(crate) use copies::{Source, fold};
pub(crate) use error::Error;
pub(crate) use explain::{Asked, Explanation, Obstacle, ProcessorStatus};
pub(crate) use fates::{Fate, fates};
pub(crate) use files::{beside, wal_bytes};
pub(crate) use handle::StateManager;
pub(crate) use history::{Growth, LogLine, LogPart, Said};
pub(crate) use import::ImportReport;
pub(crate) use limits::{Home, Limits, Rule};
pub(crate) use lists::Page;
pub(crate) use load::Load;
pub(crate) use lock::{Lock, announced_address, check_in_place};
pub(crate) use open::{Opened, Recovered, Start, WriterHandle, open};
pub(crate) use overview::{Counts, Downstream, FileUse};
pub(crate) use rate::Starts;
pub(crate) use reconfigure::Reconfigured;
pub(crate) use request::{Deleted, Due, PauseRequest, Paused, Purged, Resumed, Retried, RetryAt};
pub(crate) use retention::Retention;
pub(crate) use schedules::Progress;
pub(crate) use stats::{Chart, Window};
pub(crate) use tokens::{RestoredTokens, TokenStore, count_tokens, keep_tokens};
pub(crate) use waiters::Waiter;
