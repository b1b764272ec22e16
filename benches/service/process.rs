//! A child process that never outlives its owner, and what the system knows about it.
//!
//! Memory and processor time come from `/proc` and are absent on systems without it.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::time::{Duration, Instant};

use tokio::process::{Child, Command};

use crate::Result;

/// Length of a tick of `/proc/<pid>/stat`: `USER_HZ` is 100 on everything this may run on.
pub const TICK: Duration = Duration::from_millis(10);

pub struct Process {
    child: Child,
}

/// Memory of a process in MiB.
#[derive(Clone, Copy)]
pub struct Memory {
    /// `VmRSS`
    pub resident_mib: f64,
    /// `VmHWM`: the most it ever had
    pub peak_mib: f64,
}

impl Process {
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let child = command
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{:?}: {error}", command.as_std().get_program()))?;
        Ok(Self { child })
    }

    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status, if it has ended by itself.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        Ok(self.child.try_wait()?)
    }

    /// SIGTERM, then up to `patience` for an exit with code 0.
    pub async fn stop(mut self, patience: Duration) -> Result<()> {
        self.terminate()?;
        match tokio::time::timeout(patience, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(status) => Err(format!("stopped with {}", status?).into()),
            Err(_) => Err(format!("did not stop within {patience:?}").into()),
        }
    }

    /// For a process whose files are thrown away anyway.
    pub async fn kill(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }

    #[cfg(unix)]
    fn terminate(&mut self) -> Result<()> {
        use rustix::process::{Pid, Signal, kill_process};
        let id = self
            .child
            .id()
            .and_then(|id| Pid::from_raw(id.cast_signed()));
        Ok(kill_process(
            id.ok_or("it has ended already")?,
            Signal::TERM,
        )?)
    }

    #[cfg(not(unix))]
    fn terminate(&mut self) -> Result<()> {
        Ok(self.child.start_kill()?)
    }

    pub fn memory(&self) -> Option<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()?)).ok()?;
        let mib = |name: &str| -> Option<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
        };
        Some(Memory {
            resident_mib: mib("VmRSS:")?,
            peak_mib: mib("VmHWM:")?,
        })
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Processor time used so far, all threads, user and system.
    pub fn processor_time(&self) -> Option<Duration> {
        processor_time_of(&self.child.id()?.to_string())
    }

    /// Processor time used so far by the threads of each name; numbers at the end of a name are left out.
    pub fn threads(&self) -> Option<BTreeMap<String, Duration>> {
        let id = self.child.id()?;
        let mut times = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{id}/task")).ok()? {
            let task = task.ok()?;
            let thread = task.file_name().into_string().ok()?;
            let Ok(name) = std::fs::read_to_string(task.path().join("comm")) else {
                continue; // It has ended meanwhile.
            };
            let name = name
                .trim_end()
                .trim_end_matches(|it: char| it.is_ascii_digit() || it == '-');
            let time = processor_time_of(&format!("{id}/task/{thread}")).unwrap_or_default();
            *times.entry(name.to_owned()).or_default() += time;
        }
        Some(times)
    }

    /// A count of `/proc/<pid>/io` so far, such as `write_bytes`.
    pub fn io(&self, name: &str) -> Option<u64> {
        let counts = std::fs::read_to_string(format!("/proc/{}/io", self.child.id()?)).ok()?;
        let mut counts = counts.lines().filter_map(|line| line.split_once(": "));
        counts.find(|(found, _)| *found == name)?.1.parse().ok()
    }
}

/// `id` as under `/proc`, or `self`; `id/task/thread` for one thread.
pub fn processor_time_of(id: &str) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
    // The name in brackets may hold anything; fields are counted from behind it.
    let fields = stat.rsplit_once(") ")?.1.split(' ');
    let ticks: Vec<u32> = fields
        .skip(11)
        .take(2)
        .filter_map(|it| it.parse().ok())
        .collect();
    Some(TICK * ticks.iter().sum())
}

/// Killed and gone before the next owner's `Drop` removes the folder that it writes to.
impl Drop for Process {
    fn drop(&mut self) {
        if self.child.start_kill().is_err() {
            return;
        }
        let patience = Instant::now() + Duration::from_secs(2);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
