//! Checks the database: readable, undamaged, and without rows that violate invariants.

use std::path::Path;

use chrono::Utc;

use super::clock;
use super::finding::Finding;
use crate::state::{self, Audit, AuditStopped, Bounds, OpenError};

/// A larger write-ahead log means that checkpoints cannot reset it.
const LARGE_WAL_BYTES: u64 = 1 << 30;
/// The most problems that are reported.
const SHOWN: usize = 20;
const DAMAGED: &str =
    "stop the service, keep a copy of the file, and restore a backup with `venom restore`";

/// How much of the database is read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AuditDepth {
    /// Only what costs little.
    Quick,
    /// The whole file.
    Full,
    /// The whole file, within bounds that protect the running service.
    FullWithin(Bounds),
}

/// Checks the database at `path`.
pub(crate) async fn database(path: &Path, depth: AuditDepth) -> Vec<Finding> {
    let name = path.display();
    if !path.exists() {
        let message =
            format!("{name} does not exist yet; the service creates it at its first start");
        return vec![Finding::ok("database", message)];
    }
    let found = match depth {
        AuditDepth::Quick => state::glance(path).await,
        AuditDepth::Full => state::audit(path).await,
        AuditDepth::FullWithin(bounds) => state::audit_within(path, bounds).await,
    };
    match found {
        Ok(audit) => describe(path, &audit, depth),
        Err(error @ OpenError::Sqlite { .. }) => {
            vec![Finding::fail("database", error).advise(DAMAGED)]
        }
        // These errors contain the advice.
        Err(error) => vec![Finding::fail("database", error)],
    }
}

fn describe(path: &Path, audit: &Audit, depth: AuditDepth) -> Vec<Finding> {
    if let (Some(stopped), AuditDepth::FullWithin(bounds)) = (audit.stopped, depth) {
        return vec![unfinished(path, stopped, bounds)];
    }
    let quick = matches!(depth, AuditDepth::Quick);
    let mut findings = Vec::new();
    let (name, tasks) = (path.display(), audit.tasks);
    for line in audit.damage.iter().take(SHOWN) {
        let message = format!("{name} is damaged: {line}");
        findings.push(Finding::fail("database", message).advise(DAMAGED));
    }
    for broken in audit.broken.iter().take(SHOWN) {
        let message = format!(
            "{} {}, such as {}",
            broken.rows, broken.what, broken.example
        );
        let finding = Finding::fail("invariants", message);
        findings.push(
            finding.advise("inspect them with sqlite3; another program may have written them"),
        );
    }
    if audit.damage.is_empty() {
        let sound = match quick {
            true => "integrity not checked",
            false => "full integrity check passed",
        };
        findings.push(Finding::ok(
            "database",
            format!("{name}, {tasks} tasks; {sound}"),
        ));
    }
    if !quick && audit.damage.is_empty() && audit.broken.is_empty() {
        findings.push(Finding::ok("invariants", "all rows satisfy them"));
    }
    for ahead in &audit.ahead {
        let message = format!("{} {}, such as {}", ahead.rows, ahead.what, ahead.example);
        findings.push(Finding::warn("clock", message).advise(clock::CORRECT_CLOCK));
    }
    let newest = audit.newest.as_deref();
    findings.extend(newest.and_then(|newest| clock::against_journal(newest, Utc::now())));
    findings.extend(large_wal(path));
    findings
}

fn unfinished(path: &Path, stopped: AuditStopped, bounds: Bounds) -> Finding {
    let why = match stopped {
        AuditStopped::TooLong => format!("it took more than {} s", bounds.time.as_secs_f64()),
        AuditStopped::WalTooLarge => format!(
            "the write-ahead log grew by {} MiB during the check",
            bounds.wal_growth_bytes >> 20
        ),
    };
    let message = format!("integrity check of {} not finished: {why}", path.display());
    Finding::warn("database", message).advise(
        "make a backup and check that instead: `venom backup FILE`, `venom doctor --database FILE`",
    )
}

fn large_wal(path: &Path) -> Option<Finding> {
    let bytes = state::wal_bytes(path);
    (bytes > LARGE_WAL_BYTES).then(|| {
        let wal = state::beside(path, "-wal");
        let message = format!("{} has {} MiB", wal.display(), bytes >> 20);
        Finding::warn("database", message)
            .advise("a long-running reader prevents checkpoints; end that program")
    })
}
