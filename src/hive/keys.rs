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

/// Before a task's id: where its current job is named.
pub(super) const CURRENT: &str = "venom:hive:current:";

/// Where a task's current job is named: an attempt that follows an interrupted one goes on with its job.
pub(super) fn current(task_id: TaskId) -> String {
    format!("{CURRENT}{task_id}")
}

/// The task whose current job is named by this key.
pub(super) fn task_of_current(key: &[u8]) -> Option<TaskId> {
    let id = std::str::from_utf8(key).ok()?.strip_prefix(CURRENT)?;
    let task = id.parse().ok()?;
    // There are other ways to write an id, and no task's job is named under those.
    (current(task).as_bytes() == key).then_some(task)
}

/// The id and the queue of the job that is named there, if it is one of the task's.
pub(super) fn named_job(task_id: TaskId, named: &str) -> Option<(&str, &str)> {
    let (id, queue) = named.split_once(' ')?;
    let attempt = id.strip_prefix(&task_id.to_string())?.strip_prefix(':')?;
    let is_number = !attempt.is_empty() && attempt.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !queue.is_empty()).then_some((id, queue))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_jobs_of_the_task_are_read() {
        let task = TaskId::from_u128(1);
        let named = format!("{task}:12 a queue");
        let id = format!("{task}:12");
        assert_eq!(named_job(task, &named), Some((id.as_str(), "a queue")));
        assert_eq!(named_job(TaskId::from_u128(2), &named), None);
        for named in [
            "",
            "x q",
            &format!("{task}:"),
            &format!("{task}: q"),
            &format!("{task}:1x q"),
        ] {
            assert_eq!(named_job(task, named), None, "{named}");
        }
    }

    #[test]
    fn only_keys_of_ours_name_a_task() {
        let task = TaskId::from_u128(0xab);
        let key = current(task);
        assert_eq!(task_of_current(key.as_bytes()), Some(task));
        let upper = format!("{CURRENT}{}", task.to_string().to_uppercase());
        for key in ["", CURRENT, &upper, &format!("{key}x")] {
            assert_eq!(task_of_current(key.as_bytes()), None, "{key}");
        }
    }
}
