//! The Lua scripts of the service side; Redis runs each as one atomic step.

use redis::{Cmd, Script};

use crate::hive::clock::now_ms;
use crate::hive::dispatch::in_flight::JobHandle;
use crate::hive::redis::keys;
use crate::models::TaskId;

/// The scripts that Redis keeps by their hash.
pub(crate) struct Scripts {
    pub(crate) enqueue: Script,
    pub(crate) check: Script,
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            enqueue: Script::new(include_str!("lua/enqueue.lua")),
            check: Script::new(include_str!("lua/look.lua")),
        }
    }
}

/// Returns the command that runs `abort.lua`.
pub(crate) fn abort(task_id: TaskId, job: &JobHandle) -> Cmd {
    let mut abort = redis::cmd("EVAL");
    abort
        .arg(include_str!("lua/abort.lua"))
        .arg(2)
        .arg(keys::current(task_id))
        .arg(job.queue())
        .arg(job.id())
        .arg(now_ms());
    abort
}

/// Returns the command that runs `forget.lua`; `has_claim` if a worker may have died with the job.
pub(crate) fn forget(task_id: TaskId, job: &JobHandle, has_claim: bool) -> Cmd {
    let mut forget = redis::cmd("EVAL");
    forget
        .arg(include_str!("lua/forget.lua"))
        .arg(2)
        .arg(keys::current(task_id))
        .arg(job.queue())
        .arg(job.id())
        .arg(u8::from(has_claim));
    forget
}
