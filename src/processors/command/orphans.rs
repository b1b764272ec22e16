//! Processes that outlived their attempt, found by the task's id in their environment.
//!
//! A group's end covers nearly everything. This covers the rest: what a killed service left behind,
//! and processes that moved to a group of their own. Whoever starts a task's next attempt calls it
//! first, so that two attempts of one task never run beside each other.

/// Names the task in the environment of its process and, inherited, of everything that starts.
pub(super) const TASK_ID_VARIABLE: &str = "VENOM_TASK_ID";

#[cfg(target_os = "linux")]
pub use linux::kill_orphans;

/// Kills what earlier attempts of these tasks left running. Only Linux lets us find it: here it
/// finds nothing.
#[cfg(not(target_os = "linux"))]
pub fn kill_orphans(
    _tasks: &std::collections::HashSet<crate::models::TaskId>,
) -> std::io::Result<usize> {
    Ok(0)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{HashMap, HashSet};
    use std::time::{Duration, Instant};
    use std::{fs, io, thread};

    use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process};

    use super::TASK_ID_VARIABLE;
    use crate::models::TaskId;

    /// How long to go on where processes die slowly or start others faster than they are found.
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(2);

    /// A process as a scan saw it.
    struct Process {
        group: Pid,
        origin: Origin,
    }

    #[derive(PartialEq)]
    enum Origin {
        /// Its environment names one of the tasks.
        Task,
        /// Its environment is empty: cleared on purpose, or gone with the process, a zombie.
        Unknown,
        /// Its environment names none of the tasks, or is not ours to read.
        Stranger,
    }

    /// Kills (SIGKILL) what earlier attempts of these tasks left running, and returns how many
    /// processes that were. Call it before such a task runs again, and never while one runs.
    ///
    /// A process belongs to a task if it was started with the task's id in `VENOM_TASK_ID`, or is
    /// in the group of such a process (unless that group's leader is a stranger). What runs as
    /// another user is out of reach. Blocks for the time of two scans of `/proc`, and up to two
    /// seconds more where processes do not die at once.
    pub fn kill_orphans(tasks: &HashSet<TaskId>) -> io::Result<usize> {
        let mut killed = HashSet::new();
        let started = Instant::now();
        while !tasks.is_empty() && started.elapsed() < PATIENCE {
            let mut found = orphans(&scan(tasks)?);
            found.retain(|&orphan| kill_process(orphan, Signal::KILL).is_ok());
            if found.is_empty() {
                break;
            }
            // Once more: one of them may have started another after we had passed its place.
            killed.extend(found);
            thread::sleep(PAUSE);
        }
        Ok(killed.len())
    }

    /// Every process of the system but this one.
    fn scan(tasks: &HashSet<TaskId>) -> io::Result<HashMap<Pid, Process>> {
        let mut processes = HashMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.parse().ok());
            let Some(id) = id.and_then(Pid::from_raw).filter(|&id| id != getpid()) else {
                continue;
            };
            // Processes come and go while we read, and those of the kernel have no group.
            if let Some(group) = group_of(id) {
                let origin = origin(id, tasks);
                processes.insert(id, Process { group, origin });
            }
        }
        Ok(processes)
    }

    /// From `<id> (<name>) <state> <parent> <group> …`, where the name may hold anything.
    fn group_of(id: Pid) -> Option<Pid> {
        let stat = fs::read(format!("/proc/{}/stat", id.as_raw_nonzero())).ok()?;
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = str::from_utf8(&stat[name_end + 1..]).ok()?;
        let group = fields.split_whitespace().nth(2)?.parse().ok()?;
        Pid::from_raw(group)
    }

    fn origin(id: Pid, tasks: &HashSet<TaskId>) -> Origin {
        let Ok(environment) = fs::read(format!("/proc/{}/environ", id.as_raw_nonzero())) else {
            return Origin::Stranger;
        };
        match task_of(&environment) {
            Some(task) if tasks.contains(&task) => Origin::Task,
            None if environment.is_empty() => Origin::Unknown,
            _ => Origin::Stranger,
        }
    }

    /// The task named in an environment: `NAME=value`, each ended by a NUL.
    fn task_of(environment: &[u8]) -> Option<TaskId> {
        let mut variables = environment.split(|&byte| byte == 0);
        let task = variables.find_map(|variable| {
            let value = variable.strip_prefix(TASK_ID_VARIABLE.as_bytes())?;
            value.strip_prefix(b"=")
        })?;
        TaskId::try_parse_ascii(task).ok()
    }

    /// The tasks' own processes and the others of their groups.
    fn orphans(processes: &HashMap<Pid, Process>) -> Vec<Pid> {
        let own_group = getpgrp();
        let is_ours = |group: &Pid| {
            let leader = processes.get(group);
            *group != own_group && leader.is_none_or(|leader| leader.origin != Origin::Stranger)
        };
        let of_tasks = |process: &&Process| process.origin == Origin::Task;
        let groups: HashSet<Pid> = processes
            .values()
            .filter(of_tasks)
            .map(|process| process.group)
            .filter(is_ours)
            .collect();
        processes
            .iter()
            .filter(|(_, process)| of_tasks(process) || groups.contains(&process.group))
            .map(|(&id, _)| id)
            .collect()
    }
}
