//! venom.example.toml and .env.example: every setting at its default, commented out.

use std::fmt::Write;

use super::tables::{EXAMPLES, Example};
use super::{COLUMNS, joined, sections, variable_of, wrapped};
use crate::config::settings::Settings;

const TOML_HEAD: &str = "\
# The settings of Venom Core. Copy this file to venom.toml, in the folder where `venom` is started, and uncomment
# what you change. Every setting is here, at its default.
#
# .env, the environment (VENOM_ and the key in capitals: VENOM_PORT) and the command line are stronger than this
# file, in this order. Durations are in seconds or have a unit (\"200ms\", \"90s\", \"5m\", \"2h\", \"1d\"), sizes are in
# bytes. docs/reference/settings.md says for each setting which values it takes.
";

const DOTENV_HEAD: &str = "\
# The settings of Venom Core as variables. Copy this file to .env, in the folder where `venom` is started, and uncomment
# what you change. Every variable is here, at its default. The same variables in the environment are stronger
# than this file. Processors, concurrency keys and schedules are set in venom.toml alone;
# venom.example.toml says more about each setting.
#
# .env may hold variables of other programs; they are ignored. An unknown variable that begins with VENOM_ is taken
# for a mistake and stops the start. Put values with blanks in single quotes. The names without VENOM_ are those of
# the original and of OpenTelemetry; with VENOM_ and the key of venom.toml in capitals they work too.

# Path of the settings file. Without it, ./venom.toml.
# VENOM_CONFIG=/etc/venom.toml
";

/// Returns venom.example.toml.
pub(super) fn toml() -> String {
    let default = Settings::default();
    let mut text = TOML_HEAD.to_owned();
    for (title, settings) in sections() {
        let _ = write!(text, "\n\n# {title}.\n");
        for setting in settings {
            text.push('\n');
            comment(&mut text, &joined(setting.meaning));
            let _ = writeln!(text, "#{} = {}", setting.key, (setting.toml)(&default));
        }
    }
    for example in EXAMPLES {
        text.push('\n');
        write_example(&mut text, example);
    }
    text
}

fn write_example(text: &mut String, example: &Example) {
    comment(text, example.intro);
    let _ = writeln!(text, "#{}", example.heading);
    for line in example.first {
        let _ = writeln!(text, "#{line}");
    }
    for key in example.keys.iter().copied().flatten() {
        if !key.example.is_empty() {
            comment(text, key.meaning);
            let _ = writeln!(text, "#{} = {}", key.key, key.example);
        }
    }
    for line in example.last {
        let _ = writeln!(text, "#{line}");
    }
}

/// Returns .env.example.
pub(super) fn dotenv() -> String {
    let default = Settings::default();
    let mut text = DOTENV_HEAD.to_owned();
    for (title, settings) in sections() {
        let _ = write!(text, "\n\n# {title}.\n\n");
        for setting in settings {
            let meaning = joined(setting.meaning);
            comment(&mut text, first_sentence(&meaning));
            let value = plain(&(setting.toml)(&default));
            let _ = writeln!(text, "#{}={value}", variable_of(setting));
        }
    }
    text
}

/// Returns a value of venom.toml as a variable has it.
fn plain(toml: &str) -> String {
    match toml.strip_prefix('"') {
        Some(text) => text.trim_end_matches('"').to_owned(),
        None => toml.trim_matches(['[', ']']).replace('_', ""),
    }
}

fn first_sentence(text: &str) -> &str {
    text.find(". ").map_or(text, |end| &text[..=end])
}

fn comment(text: &mut String, prose: &str) {
    for line in wrapped(prose, COLUMNS) {
        let _ = writeln!(text, "# {line}");
    }
}
