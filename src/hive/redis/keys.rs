//! The names of ARQ's keys in Redis, and of the keys that this program keeps beside them.

use crate::models::TaskId;

/// Results are written under this and the job's id.
pub(crate) const RESULT: &str = "arq:result:";
/// A worker's claim of a job.
pub(crate) const IN_PROGRESS: &str = "arq:in-progress:";
/// Behind a queue's name: what its workers say of themselves.
pub(crate) const HEALTH: &str = ":health-check";
/// Jobs that are to be aborted.
pub(crate) const ABORT: &str = "arq:abort";

/// Before a task's id: where its current job is named.
pub(crate) const CURRENT: &str = "venom:hive:current:";

/// Where a task's current job is named: the attempt after an interrupted one continues with its job.
pub(crate) fn current(task_id: TaskId) -> String {
    format!("{CURRENT}{task_id}")
}

/// The task whose current job is named by this key.
pub(crate) fn task_of_current(key: &[u8]) -> Option<TaskId> {
    let id = std::str::from_utf8(key).ok()?.strip_prefix(CURRENT)?;
    let task = id.parse().ok()?;
    // There are other ways to write an id, and no task's job is named under those.
    (current(task).as_bytes() == key).then_some(task)
}

/// The id and the queue of the job that is named there, if it is one of the task's.
pub(crate) fn named_job(task_id: TaskId, named: &str) -> Option<(&str, &str)> {
    let (id, queue) = named.split_once(' ')?;
    let attempt = id.strip_prefix(&task_id.to_string())?.strip_prefix(':')?;
    let is_number = !attempt.is_empty() && attempt.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !queue.is_empty()).then_some((id, queue))
}

/// The id of an attempt's job.
pub(crate) fn job_id(task_id: TaskId, attempt: i64) -> String {
    format!("{}{attempt}", job_prefix(task_id))
}

/// What the ids of a task's jobs begin with.
pub(crate) fn job_prefix(task_id: TaskId) -> String {
    format!("{task_id}:")
}

/// The names of what the nodes of one Hive share. A Hive is who listens to one control channel: others may be on
/// the same Redis.
#[derive(Clone, Debug)]
pub(crate) struct NodeKeys {
    /// The ids of the nodes, each with the time in ms, by Redis' clock, at which it was last seen.
    pub(crate) nodes: String,
    /// The last record of each node, by id.
    pub(crate) last_words: String,
    /// The last command for the whole queue, as it was published.
    pub(crate) order: String,
    record: String,
}

impl NodeKeys {
    /// The names of the Hive of this channel.
    pub(crate) fn of(channel: &str) -> Self {
        Self {
            nodes: format!("venom:hive:nodes:{channel}"),
            last_words: format!("venom:hive:last-words:{channel}"),
            order: format!("venom:hive:order:{channel}"),
            record: format!("venom:hive:node:{channel}:"),
        }
    }

    /// The record of a node; it expires soon after the node goes silent.
    pub(crate) fn record(&self, id: &str) -> String {
        format!("{}{id}", self.record)
    }
}
