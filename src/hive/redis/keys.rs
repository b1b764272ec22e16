//! The names of ARQ's keys in Redis, and of the keys that this program keeps beside them.

use crate::models::TaskId;

/// The prefix of results, before the job's id.
pub(crate) const RESULT: &str = "arq:result:";
/// The prefix of a worker's claim, before the job's id.
pub(crate) const IN_PROGRESS: &str = "arq:in-progress:";
/// The suffix of a worker's health line, after the queue's name.
pub(crate) const HEALTH: &str = ":health-check";
/// The jobs that clients want aborted.
pub(crate) const ABORT: &str = "arq:abort";

/// The prefix of the key that names a task's current job, before the task's id.
pub(crate) const CURRENT: &str = "venom:hive:current:";

/// Returns the key that names a task's current job: the attempt after an interrupted one continues with that job.
pub(crate) fn current(task_id: TaskId) -> String {
    format!("{CURRENT}{task_id}")
}

/// Returns the task whose current job this key names.
pub(crate) fn task_of_current(key: &[u8]) -> Option<TaskId> {
    let id = std::str::from_utf8(key).ok()?.strip_prefix(CURRENT)?;
    let task = id.parse().ok()?;
    // A key with the id in another spelling belongs to no task.
    (current(task).as_bytes() == key).then_some(task)
}

/// Returns the id and the queue of the named job, if the job is one of the task's.
pub(crate) fn named_job(task_id: TaskId, named: &str) -> Option<(&str, &str)> {
    let (id, queue) = named.split_once(' ')?;
    let attempt = id.strip_prefix(&task_id.to_string())?.strip_prefix(':')?;
    let is_number = !attempt.is_empty() && attempt.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !queue.is_empty()).then_some((id, queue))
}

/// Returns the id of an attempt's job.
pub(crate) fn job_id(task_id: TaskId, attempt: i64) -> String {
    format!("{}{attempt}", job_prefix(task_id))
}

/// Returns the prefix of the ids of a task's jobs.
pub(crate) fn job_prefix(task_id: TaskId) -> String {
    format!("{task_id}:")
}

/// The keys that the nodes of one Hive share. A Hive consists of the subscribers of one control channel; one Redis
/// may serve several.
#[derive(Clone, Debug)]
pub(crate) struct NodeKeys {
    /// The ids of the nodes, each with the Redis time in milliseconds at which it was last seen.
    pub(crate) nodes: String,
    /// The last record of each node, by id.
    pub(crate) last_words: String,
    /// The last command for the whole queue, as it was published.
    pub(crate) order: String,
    record: String,
}

impl NodeKeys {
    /// Returns the keys of this channel's Hive.
    pub(crate) fn of(channel: &str) -> Self {
        Self {
            nodes: format!("venom:hive:nodes:{channel}"),
            last_words: format!("venom:hive:last-words:{channel}"),
            order: format!("venom:hive:order:{channel}"),
            record: format!("venom:hive:node:{channel}:"),
        }
    }

    /// Returns the key of a node's record, which expires soon after the node goes silent.
    pub(crate) fn record(&self, id: &str) -> String {
        format!("{}{id}", self.record)
    }
}
