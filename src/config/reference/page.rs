//! docs/reference/settings.md: for each setting its key, variable, flag, default, values and meaning.

use std::fmt::Write;

use super::tables::{TABLES, TableKey};
use super::{joined, sections, variable_of};
use crate::config::setting::{Applies, Setting};
use crate::config::settings::Settings;

const HEAD: &str = "\
# Settings

<!-- Generated: VENOM_UPDATE_GENERATED=1 cargo test --lib generated_ -->

Five layers, each stronger than the one before: the defaults, `venom.toml`, `.env`, the environment, the command line.
`venom doctor --settings` prints every setting with its value and where it is set. A mistake stops the start with one sentence
that names the file, the line and the key; an unknown key is a mistake too.

Every setting has the variable `VENOM_` and its key in capitals (`VENOM_PORT`); where another name is given here, both
work. In `venom.toml` durations are seconds (`0.2`) or have a unit (`\"5m\"`), and sizes are bytes. A setting marked
with ↻ takes effect when the configuration is reloaded (`venom reload`, SIGHUP); the others take effect at the next
start. `venom.example.toml` and `.env.example` have all of them at their defaults.
";

const TABLES_HEAD: &str = "
## Tables in venom.toml

Processors, concurrency keys and schedules have names and settings of their own. They are set in `venom.toml` alone and
take effect on reload.
";

/// Returns the page.
pub(super) fn page() -> String {
    let mut text = HEAD.to_owned();
    for (title, settings) in sections() {
        let _ = write!(text, "\n## {title}\n\n");
        text.push_str(
            "| key | variable, flag | default | meaning | values |\n|---|---|---|---|---|\n",
        );
        for setting in settings {
            row(&mut text, setting);
        }
    }
    text.push_str(TABLES_HEAD);
    for table in TABLES {
        let _ = write!(text, "\n### {}\n\n{}\n\n", table.title, table.intro);
        text.push_str("| key | default | meaning | values |\n|---|---|---|---|\n");
        for key in table.keys {
            key_row(&mut text, key);
        }
    }
    text
}

fn row(text: &mut String, setting: &Setting<Settings>) {
    let mark = match setting.applies {
        Applies::OnReload => " ↻",
        Applies::OnRestart => "",
    };
    let flag = setting.flag.map(|flag| format!(", `{flag}`"));
    let default = match (setting.toml)(&Settings::default()).as_str() {
        "\"\"" | "[]" => "none".to_owned(),
        value => format!("`{value}`"),
    };
    let secret = if setting.secret { " Never shown." } else { "" };
    let _ = writeln!(
        text,
        "| `{}`{mark} | `{}`{} | {default} | {}{secret} | {} |",
        setting.key,
        variable_of(setting),
        flag.unwrap_or_default(),
        cell(&joined(setting.meaning)),
        cell(setting.expected),
    );
}

fn key_row(text: &mut String, key: &TableKey) {
    let (meaning, expected) = (cell(key.meaning), cell(key.expected));
    let _ = writeln!(
        text,
        "| `{}` | {} | {meaning} | {expected} |",
        key.key, key.default
    );
}

/// Returns the text as a cell of a table can hold it.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('<', "&lt;")
}
