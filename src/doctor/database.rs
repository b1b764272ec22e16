//! The database: that it can be read, is whole, and keeps its own rules.

use std::path::Path;

use chrono::Utc;

use super::clock;
use super::finding::Finding;
use crate::state::{self, Audit, AuditStopped, Bounds, OpenError};

/// A write-ahead log that is larger is not emptied any more.
const LARGE_WAL_BYTES: u64 = 1 << 30;
/// Problems that are named.
const NAMED: usize = 20;
const DAMAGED: &str = "stop the service, keep a copy of the file, and `venom restore` a backup";

/// How much of a database is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Depth {
    /// What is quickly found.
    Quick,
    /// All of it.
    Full,
    /// All of it, unless that costs the service which runs on it too much.
    FullWithin(Bounds),
}

/// Looks at the database at `path`.
pub(crate) async fn database(path: &Path, depth: Depth) -> Vec<Finding> {
    let name = path.display();
    if !path.exists() {
        let message = format!("{name} is not there yet; a service makes it at its first start");
        return vec![Finding::ok("database", message)];
    }
    let found = match depth {
        Depth::Quick => state::glance(path).await,
        Depth::Full => state::audit(path).await,
        Depth::FullWithin(bounds) => state::audit_within(path, bounds).await,
    };
    match found {
        Ok(audit) => describe(path, &audit, depth),
        Err(error @ OpenError::Sqlite { .. }) => {
            vec![Finding::fail("database", error).advise(DAMAGED)]
        }
        // These say themselves what to do.
        Err(error) => vec![Finding::fail("database", error)],
    }
}

fn describe(path: &Path, audit: &Audit, depth: Depth) -> Vec<Finding> {
    if let (Some(stopped), Depth::FullWithin(bounds)) = (audit.stopped, depth) {
        return vec![unfinished(path, stopped, bounds)];
    }
    let quick = matches!(depth, Depth::Quick);
    let mut findings = Vec::new();
    let (name, tasks) = (path.display(), audit.tasks);
    for line in audit.damage.iter().take(NAMED) {
        let message = format!("{name} is damaged: {line}");
        findings.push(Finding::fail("database", message).advise(DAMAGED));
    }
    for broken in audit.broken.iter().take(NAMED) {
        let message = format!(
            "{} {}, such as {}",
            broken.rows, broken.what, broken.example
        );
        let finding = Finding::fail("invariants", message);
        findings.push(
            finding.advise("look at them with sqlite3; other programs may have written them"),
        );
    }
    if audit.damage.is_empty() {
        let sound = match quick {
            true => "not read through",
            false => "its integrity is checked",
        };
        findings.push(Finding::ok(
            "database",
            format!("{name}, {tasks} tasks; {sound}"),
        ));
    }
    if !quick && audit.damage.is_empty() && audit.broken.is_empty() {
        findings.push(Finding::ok("invariants", "all rules hold for every task"));
    }
    for ahead in &audit.ahead {
        let message = format!("{} {}, such as {}", ahead.rows, ahead.what, ahead.example);
        findings.push(Finding::warn("clock", message).advise(clock::SET_IT_RIGHT));
    }
    let newest = audit.newest.as_deref();
    findings.extend(newest.and_then(|newest| clock::against_journal(newest, Utc::now())));
    findings.extend(large_wal(path));
    findings
}

fn unfinished(path: &Path, stopped: AuditStopped, bounds: Bounds) -> Finding {
    let why = match stopped {
        AuditStopped::TooLong => format!("it took longer than {} s", bounds.time.as_secs_f64()),
        AuditStopped::WalTooLarge => format!(
            "the write-ahead log grew by {} MiB meanwhile",
            bounds.wal_growth_bytes >> 20
        ),
    };
    let message = format!("{} was not read to its end: {why}", path.display());
    Finding::warn("database", message).advise(
        "make a backup, and check that: `venom backup FILE`, `venom doctor --database FILE`",
    )
}

fn large_wal(path: &Path) -> Option<Finding> {
    let bytes = state::wal_bytes(path);
    (bytes > LARGE_WAL_BYTES).then(|| {
        let wal = state::beside(path, "-wal");
        let message = format!("{} has {} MiB", wal.display(), bytes >> 20);
        Finding::warn("database", message)
            .advise("a program that reads for hours keeps it from being emptied; end that program")
    })
}
