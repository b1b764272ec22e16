//! The names of what ARQ keeps in Redis, and of what we keep beside it.

use crate::models::TaskId;

/// Results are written under this and the job's id.
pub(super) const RESULT: &str = "arq:result:";
/// A worker's claim of a job.
pub(super) const IN_PROGRESS: &str = "arq:in-progress:";
/// How often a job was started.
pub(super) const RETRY: &str = "arq:retry:";
/// Behind a queue's name: what its workers say of themselves.
pub(super) const HEALTH: &str = ":health-check";
/// Jobs that are to be aborted.
pub(super) const ABORT: &str = "arq:abort";

/// Where a task's current job is named: an attempt that follows an interrupted one goes on with its job.
pub(super) fn current(task_id: TaskId) -> String {
    format!("venom:hive:current:{task_id}")
}

/// The id of an attempt's job.
pub(super) fn job_id(task_id: TaskId, attempt: i64) -> String {
    format!("{task_id}:{attempt}")
}

/// The ids of the nodes, each with the time in ms, by Redis' clock, at which it was last seen.
pub(super) const NODES: &str = "venom:hive:nodes";
/// What each node said of itself last, by id.
pub(super) const LAST_WORDS: &str = "venom:hive:nodes:last";

/// The last order to all queues, as it was published.
pub(super) const ORDER: &str = "venom:hive:order";

/// What a node says of itself; gone soon after it has gone silent.
pub(super) fn node(id: &str) -> String {
    format!("venom:hive:node:{id}")
}
