//! What runs inside Redis in one step, and which of its refusals pass.

use redis::{Cmd, RedisError, Script};

use crate::hive::dispatch::in_flight::Ticket;
use crate::hive::dispatch::job::now_ms;
use crate::hive::redis::keys;
use crate::models::TaskId;

/// Refusals that pass: Redis is starting, full, or not the one that may be written to.
const PASSING: [&str; 9] = [
    "LOADING",
    "OOM",
    "READONLY",
    "MASTERDOWN",
    "BUSY",
    "MISCONF",
    "NOREPLICAS",
    "TRYAGAIN",
    "CLUSTERDOWN",
];

/// What runs inside Redis, in one step.
pub(crate) struct Scripts {
    pub(crate) enqueue: Script,
    pub(crate) look: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            enqueue: Script::new(include_str!("lua/enqueue.lua")),
            look: Script::new(include_str!("lua/look.lua")),
        }
    }
}

/// The command that runs `abort.lua`.
pub(crate) fn abort(task_id: TaskId, ticket: &Ticket) -> Cmd {
    let mut abort = redis::cmd("EVAL");
    abort
        .arg(include_str!("lua/abort.lua"))
        .arg(2)
        .arg(keys::current(task_id))
        .arg(ticket.queue())
        .arg(ticket.id())
        .arg(now_ms());
    abort
}

/// The command that runs `forget.lua`; `has_claim` if a worker may have died with the job.
pub(crate) fn forget(task_id: TaskId, ticket: &Ticket, has_claim: bool) -> Cmd {
    let mut forget = redis::cmd("EVAL");
    forget
        .arg(include_str!("lua/forget.lua"))
        .arg(2)
        .arg(keys::current(task_id))
        .arg(ticket.queue())
        .arg(ticket.id())
        .arg(u8::from(has_claim));
    forget
}

/// Whether another connection, or the same a little later, may do better.
pub(crate) fn passes(error: &RedisError) -> bool {
    error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.code().is_some_and(|code| PASSING.contains(&code))
}
