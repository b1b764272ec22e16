//! `venom doctor`: looks at a service's machine and database from outside, whether it runs or not; or has a
//! running service look at itself.

use std::path::Path;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::client::target::{Target, announced};
use crate::cli::error::Error;
use crate::cli::output::print::{one_line, print, print_json};
use crate::cli::output::table::table;
use crate::config::Loaded;
use crate::doctor;
use crate::doctor::{Depth, Finding, Probe, Report};
use crate::models::HiveLink;
use crate::state::{check_in_place, count_tokens};

const EXAMPLES: &str = "\
Examples:
  venom doctor
  venom doctor --quick
  venom doctor --settings
  venom doctor --url https://venom.lan:8000 --token-file token
  venom doctor --json | jq '.checks[] | select(.state != \"ok\")'

It reads the whole database, which takes a while with millions of tasks; --quick leaves that out. The
disk is measured with 4 KiB writes, each synced, to a file beside the database that is removed again.
Exit code 1 says that a check failed; a warning is no failure.";

/// Check the settings, database, disk, files, certificate and clock.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// Do not read the whole database
    #[arg(long)]
    quick: bool,
    /// Show all settings, also those that are left at their defaults
    #[arg(long)]
    settings: bool,
    /// Print JSON: healthy, checked_at, checks, settings
    #[arg(long)]
    json: bool,
    /// Have the running service look at itself, as it can from afar; so does --url
    #[arg(long)]
    service: bool,
    #[command(flatten)]
    target: Target,
}

/// Looks at everything and prints what it finds.
pub(crate) async fn run(doctor: &DoctorArgs) -> Result<(), Error> {
    let report = match doctor.service || doctor.target.has_url() {
        true => doctor.asked().await?,
        false => json!(doctor.looked().await),
    };
    match doctor.json {
        true => print_json(&report)?,
        false => print(&text(&report, doctor.settings))?,
    }
    match report["healthy"] == true {
        true => Ok(()),
        false => Err(Error::Said),
    }
}

impl DoctorArgs {
    /// What the service says of itself.
    async fn asked(&self) -> Result<Value, Error> {
        let client = self.target.client()?;
        let path = format!("/api/v1/doctor?full={}", !self.quick);
        client.get_object(&path).await
    }

    /// What is found from here.
    async fn looked(&self) -> Report {
        match self.target.load() {
            Ok(loaded) => {
                let checks = look(&self.target, &loaded, self.quick).await;
                Report::new(checks, loaded.explained())
            }
            Err(error) => Report::new(doctor::settings(Err(&error)), Vec::new()),
        }
    }
}

async fn look(target: &Target, loaded: &Loaded, quick: bool) -> Vec<Finding> {
    let path = &loaded.settings.database_path;
    let depth = match quick {
        true => Depth::Quick,
        false => Depth::Full,
    };
    let settings = &loaded.settings;
    let mut found = doctor::settings(Ok(&loaded.warnings));
    found.extend(service(target, path).await);
    let in_place = check_in_place(path);
    // What keeps the tokens from being read is said of the database.
    if in_place.is_ok()
        && let Ok(tokens) = count_tokens(path).await
    {
        let is_running = announced(path).is_some();
        found.push(doctor::access(settings, tokens, is_running));
    }
    found.extend(doctor::machine(settings, Probe::Thorough));
    found.push(doctor::state_file(settings, !quick));
    found.extend(match in_place {
        Ok(()) => doctor::database(path, depth).await,
        Err(error) => vec![doctor::unusable(&error)],
    });
    found
}

/// Whether a service runs on the database and takes tasks, and how its Redis is.
async fn service(target: &Target, database: &Path) -> Vec<Finding> {
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
    let mut found = vec![doctor::service(Some((url.as_str(), answer)))];
    found.extend(doctor::redis(&link));
    found
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
        let rest = "\nall other settings are left at their defaults; --settings shows them";
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
