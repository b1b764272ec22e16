//! `venom doctor`: whether this machine, this disk and this database are what the service needs.
//!
//! Each look is a [`Finding`]: one line, and what to do where something is wrong. It works beside a running
//! service and without one, and changes nothing.

mod clock;
mod database;
mod disk;
mod finding;
mod machine;

use clap::Args;
use serde_json::{Value, json};

use super::database_file::DatabaseFile;
use super::error::Error;
use super::output::{one_line, print, print_json};
use super::table::table;
use crate::config::{Explained, Loaded};
use finding::{Finding, Level};

const EXAMPLES: &str = "\
Examples:
  venom doctor
  venom doctor --quick
  venom doctor --settings
  venom doctor --json | jq '.findings[] | select(.level != \"ok\")'

It reads the whole database, which takes a while with millions of tasks; --quick leaves that out. The
disk is measured with 4 KiB writes, each synced, to a file beside the database that is removed again.
Exit code 1 says that there is a problem; a warning is none.";

/// Check the database, the disk, the clock and the settings.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Doctor {
    /// Do not read the whole database
    #[arg(long)]
    quick: bool,
    /// Show all settings, also those that are left at their defaults
    #[arg(long)]
    settings: bool,
    /// Print JSON: healthy, findings, settings
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseFile,
}

/// Looks at everything and prints what it finds.
pub(super) async fn run(doctor: &Doctor) -> Result<(), Error> {
    let (findings, settings) = match doctor.database.load() {
        Ok(loaded) => (look(&loaded, doctor.quick).await, loaded.explained()),
        Err(error) => (vec![bad_settings(&error)], Vec::new()),
    };
    let healthy = findings
        .iter()
        .all(|finding| finding.level != Level::Problem);
    match doctor.json {
        true => print_json(&report(healthy, &findings, &settings))?,
        false => print(&text(&findings, &settings, doctor.settings))?,
    }
    match healthy {
        true => Ok(()),
        false => Err(Error::Said),
    }
}

async fn look(loaded: &Loaded, quick: bool) -> Vec<Finding> {
    let settings = &loaded.settings;
    let path = &settings.database_path;
    let mut findings = vec![Finding::ok("settings", "they can be read")];
    let warnings = loaded.warnings.iter();
    findings.extend(warnings.map(|warning| Finding::warning("settings", warning)));
    findings.push(machine::sqlite());
    findings.push(machine::open_files(settings.max_connections));
    findings.push(machine::service(path).await);
    let folder = disk::folder_of(path);
    findings.push(disk::file_system(&folder));
    findings.push(disk::room(&folder));
    findings.push(disk::sync_latency(&folder));
    findings.push(clock::synchronised());
    findings.extend(database::look(path, quick).await);
    findings
}

fn bad_settings(error: &crate::config::Error) -> Finding {
    Finding::problem("settings", error).advise("correct it, and look again")
}

fn report(healthy: bool, findings: &[Finding], settings: &[Explained]) -> Value {
    let settings = settings.iter().map(|setting| {
        let Explained { key, value, place } = setting;
        json!({ "key": key, "value": value, "from": place.to_string() })
    });
    json!({
        "healthy": healthy,
        "findings": findings,
        "settings": settings.collect::<Vec<_>>(),
    })
}

fn text(findings: &[Finding], settings: &[Explained], all: bool) -> String {
    let mut lines: Vec<_> = findings.iter().map(Finding::to_string).collect();
    let shown = settings.iter().filter(|setting| all || setting.is_set());
    let shown = shown.map(|setting| {
        let place = setting.place.to_string();
        vec![
            setting.key.to_owned(),
            one_line(&setting.value),
            one_line(&place),
        ]
    });
    let shown: Vec<_> = shown.collect();
    if !shown.is_empty() {
        lines.push(format!("\n{}", table(&shown)));
    }
    if shown.len() < settings.len() {
        let rest = settings.len() - shown.len();
        lines.push(format!(
            "\n{rest} settings are left at their defaults; --settings shows them"
        ));
    }
    lines.join("\n")
}
