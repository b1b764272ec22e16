//! `venom doctor`: looks at a service's machine and database from outside, whether it runs or not.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::client::Client;
use super::database_file::DatabaseFile;
use super::error::Error;
use super::output::{one_line, print, print_json};
use super::table::table;
use super::target::announced;
use crate::config::{self, Explained, Loaded, Sources};
use crate::doctor::{self, Depth, Finding, Probe, Report};

const EXAMPLES: &str = "\
Examples:
  venom doctor
  venom doctor --quick
  venom doctor --settings
  venom doctor --json | jq '.checks[] | select(.state != \"ok\")'

It reads the whole database, which takes a while with millions of tasks; --quick leaves that out. The
disk is measured with 4 KiB writes, each synced, to a file beside the database that is removed again.
Exit code 1 says that a check failed; a warning is no failure.";

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
    /// Print JSON: healthy, checked_at, checks, settings
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: DatabaseFile,
}

/// Looks at everything and prints what it finds.
pub(super) async fn run(doctor: &Doctor) -> Result<(), Error> {
    let report = match doctor.database.load() {
        Ok(loaded) => Report::new(look(&loaded, doctor.quick).await, loaded.explained()),
        Err(error) => Report::new(doctor::settings(Err(&error)), Vec::new()),
    };
    match doctor.json {
        true => print_json(&json!(report))?,
        false => print(&text(&report, doctor.settings))?,
    }
    match report.healthy {
        true => Ok(()),
        false => Err(Error::Said),
    }
}

async fn look(loaded: &Loaded, quick: bool) -> Vec<Finding> {
    let path = &loaded.settings.database_path;
    let depth = match quick {
        true => Depth::Quick,
        false => Depth::Full,
    };
    let mut found = doctor::settings(Ok(&loaded.warnings));
    found.push(service(path).await);
    found.extend(doctor::machine(&loaded.settings, Probe::Thorough));
    found.extend(doctor::database(path, depth).await);
    found
}

/// Whether a service runs on the database and takes tasks.
async fn service(database: &Path) -> Finding {
    let Some(url) = announced(database) else {
        return doctor::service(None);
    };
    let ca_file = Sources::from_process().of_client(config::CA_FILE);
    let ca_file = ca_file.ok().flatten().map(|(path, _)| PathBuf::from(path));
    let answer = match Client::new(&url, None, ca_file.as_deref()) {
        Ok(client) => client.get("/readyz").await,
        Err(error) => Err(error),
    };
    let answer = answer.map(drop).map_err(|error| error.to_string());
    doctor::service(Some((url.as_str(), answer)))
}

fn text(report: &Report, all: bool) -> String {
    let mut lines: Vec<_> = report.checks.iter().map(line).collect();
    let settings = report.settings.iter();
    let shown = settings.filter(|setting| all || setting.is_set());
    let shown: Vec<_> = shown.map(cells).collect();
    if !shown.is_empty() {
        lines.push(format!("\n{}", table(&shown)));
    }
    let rest = report.settings.len() - shown.len();
    if rest > 0 {
        lines.push(format!(
            "\n{rest} settings are left at their defaults; --settings shows them"
        ));
    }
    lines.join("\n")
}

fn line(finding: &Finding) -> String {
    let Finding { name, state, .. } = finding;
    let message = one_line(&finding.message);
    let advice = finding.advice.map(|advice| format!("; {advice}"));
    let advice = advice.unwrap_or_default();
    format!("{state:<4} {name:<12} {message}{advice}")
}

fn cells(setting: &Explained) -> Vec<String> {
    let place = setting.place.to_string();
    vec![
        setting.key.to_owned(),
        one_line(&setting.value),
        one_line(&place),
    ]
}
