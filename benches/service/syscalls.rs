//! The system calls of a process, counted by `perf` in the kernel, which costs the process a few percent.

use std::process::Stdio;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::Result;
use crate::process::Process;

const ALL: &str = "raw_syscalls:sys_enter";
/// Those that are counted by name as well.
const NAMED: [&str; 14] = [
    "epoll_wait",
    "fdatasync",
    "fsync",
    "futex",
    "madvise",
    "pread64",
    "pwrite64",
    "pwritev",
    "read",
    "recvfrom",
    "sched_yield",
    "sendto",
    "write",
    "writev",
];
const PREFIX: &str = "syscalls:sys_enter_";
/// Counts until `finish`.
pub struct SyscallCounter {
    perf: Process,
}

/// All calls, and those of each name, the most frequent first.
pub struct Calls {
    pub all: u64,
    pub named: Vec<(String, u64)>,
}

impl SyscallCounter {
    /// `None` if there is no `perf`, or if it may not count here.
    ///
    /// `perf` counts while `cat` runs, and `cat` answers the first line as soon as `perf` counts.
    pub async fn start(process: &Process) -> Result<Option<Self>> {
        let id = process.id().ok_or("it has ended already")?.to_string();
        let named = NAMED.map(|name| format!("{PREFIX}{name}")).join(",");
        let mut command = Command::new("perf");
        command
            .args(["stat", "-x", " ", "-e", &format!("{ALL},{named}")])
            .args(["-p", &id, "--", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let Ok(mut perf) = Process::spawn(&mut command) else {
            return Ok(None);
        };
        let child = perf.child();
        let (Some(stdin), Some(stdout)) = (&mut child.stdin, &mut child.stdout) else {
            return Ok(None);
        };
        let mut answer = [0];
        let counts = stdin.write_all(b"\n").await.is_ok() && stdout.read(&mut answer).await? == 1;
        Ok(counts.then_some(Self { perf }))
    }

    /// `None` if `perf` counted nothing.
    pub async fn finish(mut self) -> Result<Option<Calls>> {
        let child = self.perf.child();
        drop(child.stdin.take());
        let mut table = String::new();
        let mut stderr = child.stderr.take().ok_or("perf has no stderr")?;
        stderr.read_to_string(&mut table).await?;
        Ok(parse(&table))
    }
}

/// Reads lines such as `1234  syscalls:sys_enter_futex …`.
fn parse(table: &str) -> Option<Calls> {
    let counts = table.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let count: u64 = words.next()?.parse().ok()?;
        Some((words.next()?, count))
    });
    let (all, named): (Vec<_>, Vec<_>) = counts.partition(|(event, _)| *event == ALL);
    let mut named: Vec<_> = named
        .into_iter()
        .filter_map(|(event, count)| Some((event.strip_prefix(PREFIX)?.to_owned(), count)))
        .collect();
    named.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    Some(Calls {
        all: all.first()?.1,
        named,
    })
}
