//! `venom doctor`: checks a service's settings, machine and database from outside, whether it runs or not; or
//! asks a running service to check itself.

use std::path::Path;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::client::target::{ServiceTarget, announced};
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};
use crate::cli::output::table::table;
use crate::config::Loaded;
use crate::doctor;
use crate::doctor::{AuditDepth, DiskProbe, DoctorReport, Finding};
use crate::models::HiveLink;
use crate::state::{check_in_place, count_tokens};

const EXAMPLES: &str = "\
Examples:
  venom doctor
  venom doctor --quick
  venom doctor --settings
  venom doctor --url https://venom.lan:8000 --token-file token
  venom doctor --json | jq '.checks[] | select(.state != \"ok\")'

The full integrity check reads the whole database, which takes a while with millions of tasks; --quick skips it.
The disk check writes and syncs blocks of 4 KiB to a temporary file beside the database. Exit code 1 means that
a check failed; warnings do not count.";

/// Check the settings, database, disk, files, certificate and clock.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// Skip the full integrity check of the database
    #[arg(long)]
    quick: bool,
    /// Show all settings, including those at their defaults
    #[arg(long)]
    settings: bool,
    /// Print the report as JSON: healthy, checked_at, checks, settings
    #[arg(long)]
    json: bool,
    /// Ask the running service to check itself, also from another machine; --url implies this
    #[arg(long)]
    service: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Runs all checks and prints their findings.
pub(crate) async fn run(doctor: &DoctorArgs) -> Result<(), Error> {
    let report = match doctor.service || doctor.target.has_url() {
        true => doctor.remote_report().await?,
        false => json!(doctor.local_report().await),
    };
    match doctor.json {
        true => print_json(&report)?,
        false => print(&text(&report, doctor.settings))?,
    }
    match report["healthy"] == true {
        true => Ok(()),
        false => Err(Error::Reported),
    }
}

impl DoctorArgs {
    /// Fetches the report of the running service.
    async fn remote_report(&self) -> Result<Value, Error> {
        let client = self.target.client()?;
        let path = format!("/api/v1/doctor?full={}", !self.quick);
        client.get_object(&path).await
    }

    /// Runs the checks on this machine.
    async fn local_report(&self) -> DoctorReport {
        match self.target.load() {
            Ok(loaded) => {
                let checks = check(&self.target, &loaded, self.quick).await;
                DoctorReport::new(checks, loaded.explained())
            }
            Err(error) => DoctorReport::new(doctor::settings(Err(&error)), Vec::new()),
        }
    }
}

async fn check(target: &ServiceTarget, loaded: &Loaded, quick: bool) -> Vec<Finding> {
    let path = &loaded.settings.database_path;
    let depth = match quick {
        true => AuditDepth::Quick,
        false => AuditDepth::Full,
    };
    let settings = &loaded.settings;
    let mut findings = doctor::settings(Ok(&loaded.warnings));
    findings.extend(service(target, path).await);
    let in_place = check_in_place(path);
    // An error that keeps the tokens from being read is a finding about the database.
    if in_place.is_ok()
        && let Ok(tokens) = count_tokens(path).await
    {
        let is_running = announced(path).is_some();
        findings.push(doctor::access(settings, tokens, is_running));
    }
    findings.extend(doctor::machine(settings, DiskProbe::Thorough));
    findings.push(doctor::state_file(settings, !quick));
    findings.extend(match in_place {
        Ok(()) => doctor::database(path, depth).await,
        Err(error) => vec![doctor::unusable(&error)],
    });
    findings
}

/// Checks whether a service runs on the database, accepts tasks, and reaches Redis.
async fn service(target: &ServiceTarget, database: &Path) -> Vec<Finding> {
    let Some(url) = announced(database) else {
        return vec![doctor::service(None)];
    };
    let answer = match target.client_of(&url) {
        Ok(client) => client.get("/readyz").await,
        Err(error) => Err(error),
    };
    let link = match &answer {
        Ok(ready) => HiveLink::deserialize(&ready["hive"]).unwrap_or_default(),
        Err(_) => HiveLink::Off,
    };
    let answer = answer.map(drop).map_err(|error| error.to_string());
    let mut findings = vec![doctor::service(Some((url.as_str(), answer)))];
    findings.extend(doctor::redis(&link));
    findings
}

fn text(report: &Value, all: bool) -> String {
    let items = |name: &str| report[name].as_array().map_or(&[][..], Vec::as_slice);
    let mut lines: Vec<_> = items("checks").iter().map(line).collect();
    let settings = items("settings");
    let shown = settings.iter();
    let shown = shown.filter(|setting| all || setting["source"] != "default");
    let shown: Vec<_> = shown.map(cells).collect();
    if !shown.is_empty() {
        lines.push(format!("\n{}", table(&shown)));
    }
    if shown.len() < settings.len() {
        let rest = "\nall other settings have their defaults; --settings shows them";
        lines.push(rest.to_owned());
    }
    lines.join("\n")
}

fn line(check: &Value) -> String {
    let [state, name, message] = ["state", "name", "message"].map(|field| word(check, field));
    let advice = check["advice"].as_str().map(one_line);
    let advice = advice.map(|advice| format!("; {advice}"));
    let advice = advice.unwrap_or_default();
    format!("{state:<4} {name:<12} {message}{advice}")
}

fn cells(setting: &Value) -> Vec<String> {
    ["key", "value", "place"]
        .map(|field| word(setting, field))
        .to_vec()
}

fn word(object: &Value, field: &str) -> String {
    one_line(object[field].as_str().unwrap_or("-"))
}
