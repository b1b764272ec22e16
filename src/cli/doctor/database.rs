//! The database: that it can be read, is whole, and keeps its own rules.

use std::fs;
use std::path::Path;

use chrono::Utc;

use super::clock;
use super::finding::Finding;
use crate::cli::database_file::beside;
use crate::state::{self, Audit, OpenError};

/// A write-ahead log that is larger is not emptied any more.
const LARGE_WAL_BYTES: u64 = 1 << 30;
/// Problems that are named.
const NAMED: usize = 20;
const DAMAGED: &str = "stop the service, keep a copy of the file, and `venom restore` a backup";

pub(super) async fn look(path: &Path, quick: bool) -> Vec<Finding> {
    let name = path.display();
    if !path.exists() {
        let message = format!("{name} is not there yet; a service makes it at its first start");
        return vec![Finding::ok("database", message)];
    }
    let found = match quick {
        true => state::glance(path).await,
        false => state::audit(path).await,
    };
    match found {
        Ok(audit) => describe(path, &audit, quick),
        Err(error @ OpenError::Sqlite { .. }) => {
            vec![Finding::problem("database", error).advise(DAMAGED)]
        }
        // These say themselves what to do.
        Err(error) => vec![Finding::problem("database", error)],
    }
}

fn describe(path: &Path, audit: &Audit, quick: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let (name, tasks) = (path.display(), audit.tasks);
    for line in audit.damage.iter().take(NAMED) {
        let message = format!("{name} is damaged: {line}");
        findings.push(Finding::problem("database", message).advise(DAMAGED));
    }
    for broken in audit.broken.iter().take(NAMED) {
        let message = format!(
            "{} {}, such as {}",
            broken.rows, broken.what, broken.example
        );
        let finding = Finding::problem("invariants", message);
        findings.push(
            finding.advise("look at them with sqlite3; other programs may have written them"),
        );
    }
    if audit.damage.is_empty() {
        let sound = match quick {
            true => "not read through (--quick)",
            false => "its integrity is checked",
        };
        findings.push(Finding::ok(
            "database",
            format!("{name}, {tasks} tasks; {sound}"),
        ));
    }
    if !quick && audit.damage.is_empty() && audit.broken.is_empty() {
        let rules = state::INVARIANTS.len();
        findings.push(Finding::ok(
            "invariants",
            format!("all {rules} rules hold for every task"),
        ));
    }
    let newest = audit.newest.as_deref();
    findings.extend(newest.and_then(|newest| clock::against_journal(newest, Utc::now())));
    findings.extend(large_wal(path));
    findings
}

fn large_wal(path: &Path) -> Option<Finding> {
    let wal = beside(path, "-wal");
    let bytes = fs::metadata(&wal).ok()?.len();
    (bytes > LARGE_WAL_BYTES).then(|| {
        let message = format!("{} has {} MiB", wal.display(), bytes >> 20);
        Finding::warning("database", message)
            .advise("a program that reads for hours keeps it from being emptied; end that program")
    })
}
