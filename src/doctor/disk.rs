//! Checks the disk of the database: kind of file system, free space, and sync latency.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::statvfs;

use super::finding::Finding;

/// With less free space, a burst of tasks may fill the disk.
const LOW_SPACE_BYTES: u64 = 1 << 30;
/// With less free space, the write-ahead log may not reach its usual size.
const NO_SPACE_BYTES: u64 = 64 << 20;
/// The size of one page, the least that a commit writes.
const WRITE_BYTES: usize = 4096;
/// The size of the test file. Its blocks are allocated before the measurement, like those of the WAL.
const FILE_BYTES: usize = 1 << 20;
/// Above this latency, single clients notice each commit.
const SLOW: Duration = Duration::from_millis(20);

/// How much load the latency measurement puts on the disk.
#[derive(Clone, Copy, Debug)]
pub(crate) enum DiskProbe {
    Thorough,
    /// Fewer writes, beside a service that commits to the same disk.
    Gentle,
}

impl DiskProbe {
    fn writes(self) -> usize {
        match self {
            Self::Thorough => 200,
            Self::Gentle => 40,
        }
    }

    fn longest(self) -> Duration {
        match self {
            Self::Thorough => Duration::from_secs(3),
            Self::Gentle => Duration::from_secs(1),
        }
    }
}

/// Time besides the sync for one request of a single client, and for one batch of 64 clients: derived from the
/// documented rates, which were measured with a sync of 0.10 ms.
const ONE_BESIDE_SYNC: Duration = Duration::from_micros(450);
const CLIENTS: f64 = 64.0;
const CLIENTS_BESIDE_SYNC: Duration = Duration::from_micros(2900);

/// Returns the folder of the database, or the nearest folder above it that exists.
pub(crate) fn folder_of(database: &Path) -> PathBuf {
    // A link is resolved, because the target's disk counts.
    let absolute = std::fs::canonicalize(database).or_else(|_| std::path::absolute(database));
    let absolute = absolute.unwrap_or_else(|_| database.to_owned());
    let mut folders = absolute.ancestors().skip(1);
    let there = folders.find(|folder| folder.is_dir());
    there.unwrap_or(Path::new("/")).to_owned()
}

/// Checks that SQLite's locks and shared memory work on the file system.
pub(crate) fn file_system(folder: &Path) -> Finding {
    match kind_of(folder) {
        Ok(kind) => rate_kind(folder, kind),
        Err(error) => Finding::warn("file system", format!("{}: {error}", folder.display())),
    }
}

#[cfg(target_os = "linux")]
fn kind_of(folder: &Path) -> io::Result<u32> {
    // The kernel's magic numbers have 32 bits; the field is wider and may be signed.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as said"
    )]
    Ok(rustix::fs::statfs(folder)?.f_type as u32)
}

#[cfg(not(target_os = "linux"))]
fn kind_of(_: &Path) -> io::Result<u32> {
    Err(io::Error::other("the kind is known only on Linux"))
}

/// Rates a file system by its magic number of `statfs(2)`.
fn rate_kind(folder: &Path, kind: u32) -> Finding {
    const CHECK: &str = "file system";
    let name = folder.display();
    let network = match kind {
        0x6969 => "NFS",
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => "SMB",
        0x0102_1997 => "9p",
        0x00C3_6400 => "Ceph",
        0x5346_414F | 0x6B41_4653 => "AFS",
        0x0BD0_0BD0 => "Lustre",
        _ => "",
    };
    if !network.is_empty() {
        return Finding::fail(
            CHECK,
            format!("{name} is on {network}, a network file system"),
        )
        .advise("move the database to a local disk: network file systems damage it");
    }
    match kind {
        0x6573_5546 => Finding::warn(CHECK, format!("{name} is on FUSE"))
            .advise("if a network or cloud is behind it, move the database to a local disk"),
        0x0102_1994 | 0x8584_58F6 => Finding::warn(CHECK, format!("{name} is in memory"))
            .advise("a restart of the machine deletes it: move the database to a disk"),
        0x794C_7630 => Finding::warn(CHECK, format!("{name} is in a container's writable layer"))
            .advise("it is deleted with the container: move the database to a volume"),
        _ => Finding::ok(CHECK, format!("{name} is on a local file system")),
    }
}

/// Checks the free space.
pub(crate) fn free_space(folder: &Path) -> Finding {
    let name = folder.display();
    let free = match statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(error) => return Finding::warn("room", format!("{name}: {error}")),
    };
    rate_space(free, &name.to_string())
}

fn rate_space(free: u64, name: &str) -> Finding {
    const ADVICE: &str = "free some space: with a full disk no task is accepted";
    let mib = free >> 20;
    let message = format!("{mib} MiB free at {name}");
    match free {
        ..NO_SPACE_BYTES => Finding::fail("room", message).advise(ADVICE),
        NO_SPACE_BYTES..LOW_SPACE_BYTES => Finding::warn("room", message).advise(ADVICE),
        LOW_SPACE_BYTES.. => Finding::ok("room", format!("{} GiB free", mib >> 10)),
    }
}

/// Measures the latency of a synced write, and estimates the throughput from it.
pub(crate) fn sync_latency(folder: &Path, probe: DiskProbe) -> Finding {
    const CHECK: &str = "disk";
    let mut times = match measure(folder, probe) {
        Ok(times) => times,
        Err(error) => {
            let message = format!("{} cannot be written: {error}", folder.display());
            return Finding::fail(CHECK, message)
                .advise("give the user of the service write permission");
        }
    };
    times.sort_unstable();
    let (p50, p99) = (percentile(&times, 50), percentile(&times, 99));
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let (one, many) = rates(p50);
    let message = format!(
        "a synced 4 KiB write takes {:.2} ms (p50), {:.2} ms (p99): expect about {one:.0} accepted \
         tasks/s from one client, {many:.0}/s from 64",
        ms(p50),
        ms(p99)
    );
    match p99 > SLOW {
        true => Finding::warn(CHECK, message)
            .advise("each commit waits for a sync: use a faster disk, or submit in batches"),
        false => Finding::ok(CHECK, message),
    }
}

fn measure(folder: &Path, probe: DiskProbe) -> io::Result<Vec<Duration>> {
    let file: File = tempfile::tempfile_in(folder)?;
    file.write_all_at(&vec![1; FILE_BYTES], 0)?;
    file.sync_all()?;
    let started = Instant::now();
    let mut times = Vec::with_capacity(probe.writes());
    while times.len() < probe.writes() && (times.is_empty() || started.elapsed() < probe.longest())
    {
        let place = times.len() * WRITE_BYTES % FILE_BYTES;
        let before = Instant::now();
        file.write_all_at(&[2; WRITE_BYTES], place as u64)?;
        file.sync_data()?;
        times.push(before.elapsed());
    }
    Ok(times)
}

/// Returns a percentile of sorted times; there must be at least one.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() - 1) * percent / 100]
}

/// Returns the tasks per second of one client, and of 64 clients that share commits.
fn rates(sync: Duration) -> (f64, f64) {
    (
        1.0 / (sync + ONE_BESIDE_SYNC).as_secs_f64(),
        CLIENTS / (sync + CLIENTS_BESIDE_SYNC).as_secs_f64(),
    )
}

#[cfg(test)]
mod tests {
    use super::super::finding::CheckState;
    use super::*;

    #[test]
    fn network_file_systems_are_problems() {
        for (kind, level) in [
            (0x6969, CheckState::Fail),
            (0xFF53_4D42, CheckState::Fail),
            (0x0102_1997, CheckState::Fail),
            (0x6573_5546, CheckState::Warn),
            (0x0102_1994, CheckState::Warn),
            (0x794C_7630, CheckState::Warn),
            (0xEF53, CheckState::Ok),
        ] {
            assert_eq!(rate_kind(Path::new("/x"), kind).state, level, "{kind:x}");
        }
    }

    #[test]
    fn little_space_is_a_warning_and_almost_none_a_failure() {
        let state_with = |free| rate_space(free, "/x").state;
        assert_eq!(state_with(2 << 30), CheckState::Ok);
        assert_eq!(state_with(500 << 20), CheckState::Warn);
        assert_eq!(state_with(63 << 20), CheckState::Fail);
    }

    #[test]
    fn the_rates_are_those_that_were_measured() {
        let (one, many) = rates(Duration::from_micros(100));
        assert!((1_700.0..1_900.0).contains(&one), "{one}");
        assert!((17_400.0..27_900.0).contains(&many), "{many}");
    }

    #[test]
    fn a_percentile_is_one_of_the_times() {
        let times: Vec<_> = (1..=200).map(Duration::from_millis).collect();
        assert_eq!(percentile(&times, 50), Duration::from_millis(100));
        assert_eq!(percentile(&times, 99), Duration::from_millis(198));
        assert_eq!(percentile(&times[..1], 99), Duration::from_millis(1));
    }
}
