//! Checks whether settings, machine, disk and database are what the service needs.
//!
//! Each check returns a [`Finding`]: one line, and advice if something is wrong. Checks change nothing. `venom doctor`
//! runs them from outside, with or without a service; [`Doctor`] runs them inside a service, within limits that
//! protect it.

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
pub(crate) use database::{AuditDepth, database};
pub(crate) use disk::DiskProbe;
pub(crate) use files::state_file;
pub(crate) use finding::{CheckState, Finding};
pub(crate) use running::{CheckRunning, Doctor};

use crate::config::{self, ExplainedSetting, Settings};
use crate::models::{HiveLink, Timestamp};
use crate::state::OpenError;

/// All findings, and the settings they were made with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DoctorReport {
    /// True if no check failed; warnings do not count.
    pub(crate) healthy: bool,
    pub(crate) checked_at: Timestamp,
    pub(crate) checks: Vec<Finding>,
    /// Every setting with its value and its source; no secrets.
    pub(crate) settings: Vec<ExplainedSetting>,
}

impl DoctorReport {
    pub(crate) fn new(checks: Vec<Finding>, settings: Vec<ExplainedSetting>) -> Self {
        Self {
            healthy: checks.iter().all(|check| check.state != CheckState::Fail),
            checked_at: Timestamp::now(),
            checks,
            settings,
        }
    }
}

/// Checks this machine for a service with these settings. Blocks while the disk is measured.
pub(crate) fn machine(settings: &Settings, probe: DiskProbe) -> Vec<Finding> {
    let folder = disk::folder_of(&settings.database_path);
    let mut findings = vec![
        machine::sqlite(),
        machine::open_files(settings.max_connections),
        disk::file_system(&folder),
        disk::free_space(&folder),
        disk::sync_latency(&folder, probe),
        clock::clock(),
        clock::time_zones(&config::time_zone_rules()),
    ];
    findings.extend(files::permissions(&settings.database_path));
    findings.extend(tls::certificate(settings, Timestamp::now().utc()));
    findings
}

/// Returns the finding for a database that cannot be checked. The error contains the advice.
pub(crate) fn unusable(error: &OpenError) -> Finding {
    Finding::fail("database", error)
}

/// Returns the findings of reading the settings.
pub(crate) fn settings(read: Result<&[String], &config::Error>) -> Vec<Finding> {
    match read {
        Ok([]) => vec![Finding::ok("settings", "valid")],
        Ok(warnings) => warnings
            .iter()
            .map(|warning| Finding::warn("settings", warning))
            .collect(),
        Err(error) => {
            vec![
                Finding::fail("settings", error)
                    .advise("correct the setting, and run the check again"),
            ]
        }
    }
}

/// Returns the state of the service's connection to Redis; `None` while the Hive is off.
pub(crate) fn redis(link: &HiveLink) -> Option<Finding> {
    const NAME: &str = "redis";
    Some(match link {
        HiveLink::Off => return None,
        HiveLink::Connected => Finding::ok(NAME, "answers and takes writes"),
        HiveLink::Away { reason, since } => {
            Finding::warn(NAME, format!("is unreachable since {since}: {reason}"))
                .advise("tasks of hive processors stay PENDING; other tasks run")
        }
        HiveLink::Refusing { reason, since } => {
            Finding::warn(NAME, format!("refuses commands since {since}: {reason}"))
                .advise("tasks of hive processors stay PENDING; other tasks run")
        }
    })
}

/// Returns whether a service runs on the database and accepts tasks. `answer` holds its address, and why it accepts
/// none.
pub(crate) fn service(answer: Option<(&str, Result<(), String>)>) -> Finding {
    const NAME: &str = "service";
    match answer {
        None => Finding::ok(NAME, "not running on this database"),
        Some((url, Ok(()))) => Finding::ok(NAME, format!("running at {url}, accepts tasks")),
        Some((url, Err(reason))) => {
            Finding::warn(NAME, format!("{url} accepts no tasks: {reason}"))
                .advise("see its log; if it was killed, start it again")
        }
    }
}
