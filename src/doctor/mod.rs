//! Whether this machine, this disk and this database are what the service needs.
//!
//! Each look is a [`Finding`]: one line, and what to do where something is wrong. Looking changes nothing.
//! `venom doctor` looks from outside, beside a service or without one; [`Doctor`] looks from inside a
//! running one, and takes care that looking does not hurt it.

mod access;
mod clock;
mod database;
mod disk;
mod files;
mod finding;
mod machine;
mod running;
mod tls;

use serde::Serialize;
use utoipa::ToSchema;

pub(crate) use access::access;
pub(crate) use database::{Depth, database};
pub(crate) use disk::Probe;
pub(crate) use files::state_file;
pub(crate) use finding::{Finding, State};
pub(crate) use running::{Busy, Doctor};

use crate::config::{self, Explained, Settings};
use crate::models::{HiveLink, Timestamp};
use crate::state::OpenError;

/// Everything that was found.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = DoctorReport)]
pub(crate) struct Report {
    /// Whether no check failed; a warning is no failure.
    pub(crate) healthy: bool,
    pub(crate) checked_at: Timestamp,
    pub(crate) checks: Vec<Finding>,
    /// Every setting, with its value and where it comes from; no secrets.
    pub(crate) settings: Vec<Explained>,
}

impl Report {
    pub(crate) fn new(checks: Vec<Finding>, settings: Vec<Explained>) -> Self {
        Self {
            healthy: checks.iter().all(|check| check.state != State::Fail),
            checked_at: Timestamp::now(),
            checks,
            settings,
        }
    }
}

/// What is found on this machine for a service with these settings. Blocks while the disk is measured.
pub(crate) fn machine(settings: &Settings, probe: Probe) -> Vec<Finding> {
    let folder = disk::folder_of(&settings.database_path);
    let mut found = vec![
        machine::sqlite(),
        machine::open_files(settings.max_connections),
        disk::file_system(&folder),
        disk::room(&folder),
        disk::sync_latency(&folder, probe),
        clock::synchronised(),
        clock::time_zones(&config::time_zone_rules()),
    ];
    found.extend(files::permissions(&settings.database_path));
    found.extend(tls::look(settings, Timestamp::now().utc()));
    found
}

/// Why the database at its path is not looked at. The error says itself what to do.
pub(crate) fn unusable(error: &OpenError) -> Finding {
    Finding::fail("database", error)
}

/// How the reading of the settings went.
pub(crate) fn settings(read: Result<&[String], &config::Error>) -> Vec<Finding> {
    match read {
        Ok([]) => vec![Finding::ok("settings", "they can be read")],
        Ok(warnings) => warnings
            .iter()
            .map(|warning| Finding::warn("settings", warning))
            .collect(),
        Err(error) => {
            vec![Finding::fail("settings", error).advise("correct it, and look again")]
        }
    }
}

/// How Redis is, as the service sees it; nothing while the Hive is off.
pub(crate) fn redis(link: &HiveLink) -> Option<Finding> {
    const NAME: &str = "redis";
    Some(match link {
        HiveLink::Off => return None,
        HiveLink::Connected => Finding::ok(NAME, "answers and takes writes"),
        HiveLink::Away { reason, since } => {
            Finding::warn(NAME, format!("is unreachable since {since}: {reason}"))
                .advise("tasks of hive processors wait; everything else runs on")
        }
        HiveLink::Refusing { reason, since } => Finding::warn(
            NAME,
            format!("refuses what the Hive needs since {since}: {reason}"),
        )
        .advise("tasks of hive processors wait; everything else runs on"),
    })
}

/// Whether a service runs on the database: its address if one does, and why it takes no tasks if so.
pub(crate) fn service(answer: Option<(&str, Result<(), String>)>) -> Finding {
    const NAME: &str = "service";
    match answer {
        None => Finding::ok(NAME, "none runs on this database"),
        Some((url, Ok(()))) => Finding::ok(NAME, format!("runs at {url} and takes tasks")),
        Some((url, Err(reason))) => Finding::warn(NAME, format!("{url} takes no tasks: {reason}"))
            .advise("its log says why; if it was killed, start it again"),
    }
}
