//! The data types that the whole service shares: tasks, attempts, statuses, events, pauses, grants, timestamps.
//!
//! Nothing here does I/O. Each type has its rules beside it, such as how a timestamp is written or an event is encoded.

mod attempt;
mod clock;
mod duration;
mod event;
mod filter;
mod grant;
mod idempotency_key;
pub(crate) mod json;
mod queue;
mod status;
mod task;
pub(crate) mod task_limits;
mod timestamp;
mod trace;
mod truncate;

pub(crate) use attempt::{
    Attempt, ClaimedTask, Lease, LeaseOrigin, OfferId, Outcome, Reschedule, Terms,
};
pub(crate) use clock::{Clock, Reading};
pub(crate) use duration::parse_duration;
pub(crate) use event::{Event, EventType, FIRST_FRAME_MESSAGE};
pub(crate) use filter::{ListOrder, TaskFilter};
pub(crate) use grant::{Grant, Role, Token, TokenHash};
pub(crate) use idempotency_key::IdempotencyKey;
pub(crate) use queue::{HiveLink, Pause, QueueStatus};
pub use status::Failure;
pub(crate) use status::TaskStatus;
pub(crate) use status::UnknownName;
pub(crate) use task::{NewTask, Task, TaskId};
pub use timestamp::Timestamp;
pub(crate) use trace::TraceContext;
pub(crate) use truncate::{EVENT_LIMIT_BYTES, fit, length_in_json};
