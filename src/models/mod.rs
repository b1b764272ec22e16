//! The words of the service as plain data: tasks, their states, events, the queue's condition.
//!
//! Nothing here does I/O. The rules that belong to the data (which status may follow which, how a
//! time is written, what an event looks like on the wire) live beside it.

mod attempt;
mod clock;
mod cut;
mod duration;
mod event;
mod filter;
mod grant;
pub(crate) mod json;
mod queue;
mod status;
mod task;
pub(crate) mod task_limits;
mod timestamp;
mod trace;

pub(crate) use attempt::{
    Again, Attempt, ClaimedTask, Lease, LeaseOrigin, OfferId, Outcome, Terms,
};
pub(crate) use clock::{Clock, Reading};
pub(crate) use cut::{EVENT_LIMIT_BYTES, fit, length_in_json};
pub(crate) use duration::parse_duration;
pub(crate) use event::{Event, EventType, FIRST_FRAME_MESSAGE};
pub(crate) use filter::{Order, TaskFilter};
pub(crate) use grant::{Grant, Role, Token, TokenHash};
pub(crate) use queue::{HiveLink, Pause, QueueStatus};
pub use status::Failure;
pub(crate) use status::TaskStatus;
pub(crate) use status::UnknownName;
pub(crate) use task::{NewTask, Task, TaskId};
pub use timestamp::Timestamp;
pub(crate) use trace::TraceContext;
