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
pub mod json;
mod queue;
mod status;
mod task;
pub mod task_limits;
mod timestamp;
mod trace;

pub use attempt::{Again, Attempt, ClaimedTask, Lease, LeaseOrigin, OfferId, Outcome, Terms};
pub use clock::{Clock, Reading};
pub use cut::{EVENT_LIMIT_BYTES, fit, length_in_json};
pub use duration::parse_duration;
pub use event::{Event, EventType, FIRST_FRAME_MESSAGE};
pub use filter::{Order, TaskFilter};
pub use grant::{Grant, Role, Token, TokenHash};
pub use queue::{HiveLink, Pause, QueueStatus};
pub use status::{Failure, TaskStatus, UnknownName};
pub use task::{NewTask, Task, TaskId};
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use trace::TraceContext;
