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

pub use audit::{Audit, Bounds, Broken, INVARIANTS, Stopped, audit, audit_within, glance};
pub use batch::{Accepted, Once, Reservation};
pub use bulk::Bulk;
pub use chains::Upstream;
pub use connect::{OpenError, behind_links, check_version, sqlite_version};
pub use copies::{Source, fold};
pub use error::Error;
pub use explain::{Asked, Explanation, Obstacle, ProcessorStatus};
pub use fates::{Fate, fates};
pub use files::{beside, wal_bytes};
pub use handle::StateManager;
pub use health::Health;
pub use history::{Growth, LogLine, LogPart, Said};
pub use import::ImportReport;
pub use limits::{Home, Limits, Rule};
pub use lists::Page;
pub use load::Load;
pub use lock::{Lock, announced_address, check_in_place};
pub use open::{Opened, Recovered, Start, WriterHandle, open};
pub use open_files::{LostFile, OpenFiles};
pub use overview::{Counts, Downstream, FileUse, Oldest};
pub use rate::Starts;
pub use reconfigure::Reconfigured;
pub use request::{Deleted, Due, PauseRequest, Paused, Purged, Resumed, Retried, RetryAt};
pub use retention::Retention;
pub use schedules::Progress;
pub use stats::{Chart, Point, Summary, Window};
pub use tokens::{RestoredTokens, TokenStore, count_tokens, keep_tokens};
pub use waiters::Waiter;
