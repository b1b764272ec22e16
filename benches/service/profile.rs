//! What a task costs by thread, and what a commit writes and calls, seen from outside.
//!
//! A profile is a load of its own beside those that are timed, because `perf` slows what it counts.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;

use crate::crew::Crew;
use crate::report::Report;
use crate::service::{QueueStatus, Service};
use crate::syscalls::{Calls, SyscallCounter};
use crate::wal::{Counts, WalCounter};
use crate::{Bench, Result};

const CONNECTIONS: usize = 64;

struct Profile {
    tasks: u64,
    threads: Option<Threads>,
    written_bytes: Option<u64>,
    wal: Option<Counts>,
    calls: Option<Calls>,
}

type Threads = BTreeMap<String, Duration>;

/// Loads the service and prints its profile. `floor` is what its queue holds without the load.
pub async fn measure(
    bench: &Bench,
    report: &mut Report,
    key: &str,
    service: &Service,
    floor: QueueStatus,
) -> Result<()> {
    let mut crew = Crew::connect(service.target(), CONNECTIONS).await?;
    crew.submit_for(bench.plan.warm_up).await?;
    service.drained(floor).await?;

    let process = &service.process;
    let calls = SyscallCounter::start(process).await?;
    let wal = WalCounter::start(&service.database());
    let (threads, written) = (process.threads(), process.io("write_bytes"));
    let tally = crew.submit_for(bench.plan.duration).await?;
    service.drained(floor).await?;
    let profile = Profile {
        tasks: tally.answered,
        threads: process.threads().zip(threads).map(since),
        written_bytes: process
            .io("write_bytes")
            .zip(written)
            .map(|(end, start)| end - start),
        wal: wal.map(WalCounter::finish).transpose()?,
        calls: match calls {
            Some(calls) => calls.finish().await?,
            None => None,
        },
    };
    profile.print();
    report.record(&format!("{key}.profile"), profile.json());
    Ok(())
}

fn since((mut end, start): (Threads, Threads)) -> Threads {
    for (name, time) in start {
        end.entry(name)
            .and_modify(|it| *it = it.saturating_sub(time));
    }
    end
}

impl Profile {
    fn print(&self) {
        let threads = self.micros_by_thread();
        let threads = threads.iter().filter(|(_, micros)| *micros >= 0.05);
        let threads: Vec<_> = threads
            .map(|(name, micros)| format!("{name} {micros:.1}"))
            .collect();
        println!("    cpu µs a task: {}", threads.join(", "));
        match &self.wal {
            Some(wal) => println!(
                "    a commit: {:.1} tasks, {:.1} pages in the WAL, {:.0} KiB to the disk, system calls {}",
                self.each_commit(self.tasks),
                wal.pages_each(),
                self.each_commit(self.written_bytes.unwrap_or_default()) / 1024.0,
                self.calls_text(),
            ),
            None => println!("    commits not counted: the WAL's index is not in a file"),
        }
    }

    /// The most expensive first.
    fn micros_by_thread(&self) -> Vec<(&str, f64)> {
        let times = self.threads.iter().flatten();
        let mut micros: Vec<_> = times
            .map(|(name, time)| (name.as_str(), time.as_secs_f64() * 1e6 / self.tasks as f64))
            .collect();
        micros.sort_by(|left, right| right.1.total_cmp(&left.1));
        micros
    }

    fn each_commit(&self, count: u64) -> f64 {
        let commits = self.wal.as_ref().map_or(0, |wal| wal.commits);
        count as f64 / f64::from(commits)
    }

    fn calls_text(&self) -> String {
        let Some(calls) = &self.calls else {
            return "not measured: `perf` is not installed or may not count here".to_owned();
        };
        let named = calls
            .named
            .iter()
            .map(|(name, count)| (name, self.each_commit(*count)));
        let named: Vec<_> = named
            .filter(|(_, count)| *count >= 0.05)
            .map(|(name, count)| format!("{name} {count:.1}"))
            .collect();
        format!("{:.0} ({})", self.each_commit(calls.all), named.join(", "))
    }

    fn json(&self) -> serde_json::Value {
        let named = |calls: &Calls| -> BTreeMap<String, f64> {
            let each = |(name, count): &(String, u64)| (name.clone(), self.each_commit(*count));
            calls.named.iter().map(each).collect()
        };
        json!({ "cpu_us_by_thread": self.micros_by_thread().into_iter().collect::<BTreeMap<_, _>>(),
                "tasks_a_commit": self.each_commit(self.tasks),
                "pages_a_commit": self.wal.as_ref().map(Counts::pages_each),
                "bytes_a_commit": self.written_bytes.map(|bytes| self.each_commit(bytes)),
                "calls_a_commit": self.calls.as_ref().map(|calls| self.each_commit(calls.all)),
                "calls_by_name": self.calls.as_ref().map(named) })
    }
}
