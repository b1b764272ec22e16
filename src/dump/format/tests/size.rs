//! Memory does not grow with the file.

use std::io::{self, Read};

use super::super::{inspect, read};
use super::DEFAULT_PROCESSOR;
use crate::dump::format::inspect::Author;

const TASKS: u64 = 200_000;

/// A dump of [`TASKS`] tasks that exists nowhere as a whole.
#[derive(Default)]
struct Generated {
    next: u64,
    line: Vec<u8>,
    taken: usize,
}

impl Generated {
    fn next_line(&mut self) -> Option<String> {
        let number = self.next.checked_sub(1);
        self.next += 1;
        match number {
            None => Some("{\"autonomy_level\": 0, \"tasks\": [".to_owned()),
            Some(n) if n < TASKS => {
                let comma = if n == 0 { "" } else { "," };
                let id = uuid::Uuid::from_u128(u128::from(n));
                Some(format!(
                    "{comma}\n{{\"id\": \"{id}\", \"content\": \"number {n}\", \
                     \"status\": \"COMPLETED\", \
                     \"created_at\": \"2026-01-01T00:00:00Z\", \"logs\": [\"a line of the log\"]}}"
                ))
            }
            Some(TASKS) => Some("], \"paid_mode_enabled\": false}".to_owned()),
            Some(_) => None,
        }
    }
}

impl Read for Generated {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.line.len() {
            self.line = self.next_line().unwrap_or_default().into_bytes();
            self.taken = 0;
        }
        let count = (&self.line[self.taken..]).read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

/// The most memory that the process ever had, in bytes.
#[cfg(target_os = "linux")]
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: u64 = peak.unwrap().trim_end_matches("kB").trim().parse().unwrap();
    kib * 1024
}

/// Runs in a process of its own, as the other tests of this one have memory too.
#[cfg(target_os = "linux")]
#[test]
fn two_hundred_thousand_tasks_are_read_in_little_memory() {
    const ALONE: &str = "VENOM_TEST_ALONE";
    let name = "dump::format::tests::size::two_hundred_thousand_tasks_are_read_in_little_memory";
    if std::env::var_os(ALONE).is_some() {
        return read_in_little_memory();
    }
    let run = std::process::Command::new(std::env::current_exe().unwrap())
        .args([name, "--exact"])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}

#[cfg(target_os = "linux")]
fn read_in_little_memory() {
    let before = peak_bytes();
    let (mut count, mut bytes) = (0, 0);
    let rest = read(Generated::default(), DEFAULT_PROCESSOR, |task, took| {
        assert_eq!(task.id.as_u128(), u128::from(count));
        count += 1;
        bytes += took;
        Ok(())
    })
    .unwrap();
    assert_eq!(count, TASKS);
    assert_eq!(rest.fields.len(), 2);
    assert!(bytes > TASKS * 100, "it was {bytes} bytes");
    // The file is some 30 MB. The code that reads it counts too, and the kernel decides how much of that it
    // maps at once.
    let grown = (peak_bytes() - before) / 1024;
    assert!(grown < 12 * 1024, "memory grew by {grown} KiB");
}

#[test]
fn as_many_are_inspected() {
    let mut asked = 0;
    let author = inspect(Generated::default(), || {
        asked += 1;
        Ok(())
    });
    assert_eq!(author.unwrap(), Author::Foreign);
    assert_eq!(asked, TASKS + 1);
}
