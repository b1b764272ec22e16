//! Orphaned child processes: those that outlived their attempt, found by the task's id in their environment.
//!
//! Killing the group covers nearly everything. This covers the rest: what a killed service left, and processes that moved
//! to a group of their own. Whoever starts a task's next attempt calls it first, so that two attempts of one task never
//! run beside each other. The `orphan_reaper` finds what finished attempts left.

use uuid::Uuid;

use crate::models::TaskId;

/// Names the task in the environment of its process, which child processes inherit.
const TASK_ID_VARIABLE: &str = "VENOM_TASK_ID";
/// Names the attempt there.
const ATTEMPT_VARIABLE: &str = "VENOM_ATTEMPT";
/// Names the run there; no interface for programs.
const RUN_ID_VARIABLE: &str = "VENOM_RUN_ID";

/// Identifies the processes of one run.
#[derive(Clone, Copy)]
pub(crate) struct RunMark {
    pub(crate) task: TaskId,
    pub(crate) attempt: i64,
    /// Differs from every other run's, also in other services. A returned attempt runs again under its number,
    /// perhaps in another service on this machine.
    pub(crate) run: Uuid,
}

impl RunMark {
    /// Creates the mark of a new run.
    pub(crate) fn new(task: TaskId, attempt: i64) -> Self {
        let run = Uuid::new_v4();
        Self { task, attempt, run }
    }

    /// Returns the variables of the processes' environment.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            (TASK_ID_VARIABLE, self.task.to_string()),
            (ATTEMPT_VARIABLE, self.attempt.to_string()),
            (RUN_ID_VARIABLE, self.run.to_string()),
        ]
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::kill_leftovers;
#[cfg(target_os = "linux")]
pub(crate) use linux::kill_orphans;

/// Kills what these runs left running; see [`kill_orphans`].
#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_leftovers(_runs: &std::collections::HashSet<Uuid>) -> std::io::Result<usize> {
    Ok(0)
}

/// Kills what earlier attempts of these tasks left running. Finding it needs Linux: elsewhere this finds nothing.
#[cfg(not(target_os = "linux"))]
pub(crate) fn kill_orphans(_tasks: &std::collections::HashSet<TaskId>) -> std::io::Result<usize> {
    Ok(0)
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::{HashMap, HashSet};
    use std::time::{Duration, Instant};
    use std::{fs, io, thread};

    use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process};

    use uuid::Uuid;

    use super::{RUN_ID_VARIABLE, TASK_ID_VARIABLE};
    use crate::models::TaskId;

    /// How long the scans continue where processes die slowly or start others faster than they are found.
    const PATIENCE: Duration = Duration::from_secs(2);
    const PAUSE: Duration = Duration::from_millis(2);

    /// A process as a scan found it.
    struct Process {
        group: Pid,
        origin: Origin,
    }

    #[derive(PartialEq)]
    enum Origin {
        /// Its environment names one of the tasks.
        Task,
        /// Its environment is empty: cleared on purpose, or lost with the process, a zombie.
        Unknown,
        /// Its environment names none of the tasks, or may not be read.
        Stranger,
    }

    /// Kills (SIGKILL) what earlier attempts of these tasks left running, and returns the number of processes. Call
    /// it before such a task runs again, and never while one runs.
    ///
    /// A process belongs to a task if it was started with the task's id in `VENOM_TASK_ID`, or is in the group of
    /// such a process (unless that group's leader is a stranger). Processes of another user are out of reach. Blocks
    /// for the time of two scans of `/proc`, and up to two seconds more where processes do not die at once.
    pub(crate) fn kill_orphans(tasks: &HashSet<TaskId>) -> io::Result<usize> {
        if tasks.is_empty() {
            return Ok(0);
        }
        kill_all(0, |task, _| tasks.contains(&task))
    }

    /// Kills (SIGKILL) what these runs of this process left running, and returns the number of processes. Unlike
    /// [`kill_orphans`] it may be called while other runs of the tasks continue.
    ///
    /// Spares a process without `VENOM_TASK_ID`: a program removes it from what shall live on.
    pub(crate) fn kill_leftovers(runs: &HashSet<Uuid>) -> io::Result<usize> {
        if runs.is_empty() {
            return Ok(0);
        }
        // A process older than this one is not a descendant.
        let since = start_time(getpid()).unwrap_or(0);
        kill_all(since, |_, run| run.is_some_and(|run| runs.contains(&run)))
    }

    /// Kills what began after `since` (in the kernel's ticks) and belongs to the runs for which `is_wanted` is true.
    fn kill_all(since: u64, is_wanted: impl Fn(TaskId, Option<Uuid>) -> bool) -> io::Result<usize> {
        let mut killed = HashSet::new();
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            let mut found = orphans(&scan(since, &is_wanted)?);
            found.retain(|&orphan| kill_process(orphan, Signal::KILL).is_ok());
            if found.is_empty() {
                break;
            }
            // A second scan: a process may have started another behind the first.
            killed.extend(found);
            thread::sleep(PAUSE);
        }
        Ok(killed.len())
    }

    /// Returns every process of the system but this one. It does not read the environment of those older than
    /// `since`.
    fn scan(
        since: u64,
        is_wanted: &impl Fn(TaskId, Option<Uuid>) -> bool,
    ) -> io::Result<HashMap<Pid, Process>> {
        let mut processes = HashMap::new();
        for entry in fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.parse().ok());
            let Some(id) = id.and_then(Pid::from_raw).filter(|&id| id != getpid()) else {
                continue;
            };
            // Processes come and go during the scan, and those of the kernel have no group.
            if let Some((group, started)) = group_and_start(id) {
                let origin = match started >= since {
                    true => origin(id, is_wanted),
                    false => Origin::Stranger,
                };
                processes.insert(id, Process { group, origin });
            }
        }
        Ok(processes)
    }

    /// Parses `<id> (<name>) <state> <parent> <group> …`, where the name may hold anything. The start is the 22nd
    /// field, in ticks since the machine's own.
    fn group_and_start(id: Pid) -> Option<(Pid, u64)> {
        let stat = fs::read(format!("/proc/{}/stat", id.as_raw_nonzero())).ok()?;
        let name_end = stat.iter().rposition(|&byte| byte == b')')?;
        let fields = str::from_utf8(&stat[name_end + 1..]).ok()?;
        let mut fields = fields.split_whitespace();
        let group = Pid::from_raw(fields.nth(2)?.parse().ok()?)?;
        let started = fields.nth(16)?.parse().ok()?;
        Some((group, started))
    }

    fn start_time(id: Pid) -> Option<u64> {
        group_and_start(id).map(|(_, started)| started)
    }

    fn origin(id: Pid, is_wanted: &impl Fn(TaskId, Option<Uuid>) -> bool) -> Origin {
        let Ok(environment) = fs::read(format!("/proc/{}/environ", id.as_raw_nonzero())) else {
            return Origin::Stranger;
        };
        match task_of(&environment) {
            Some(task) if is_wanted(task, run_of(&environment)) => Origin::Task,
            None if environment.is_empty() => Origin::Unknown,
            _ => Origin::Stranger,
        }
    }

    /// Returns the task that an environment names.
    fn task_of(environment: &[u8]) -> Option<TaskId> {
        TaskId::try_parse_ascii(variable(environment, TASK_ID_VARIABLE)?).ok()
    }

    fn run_of(environment: &[u8]) -> Option<Uuid> {
        Uuid::try_parse_ascii(variable(environment, RUN_ID_VARIABLE)?).ok()
    }

    /// Returns the value of a variable: `NAME=value`, each ended by a NUL.
    fn variable<'a>(environment: &'a [u8], name: &str) -> Option<&'a [u8]> {
        let mut variables = environment.split(|&byte| byte == 0);
        variables.find_map(|variable| {
            let value = variable.strip_prefix(name.as_bytes())?;
            value.strip_prefix(b"=")
        })
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
