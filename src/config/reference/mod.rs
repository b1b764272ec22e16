//! Writes venom.example.toml, .env.example and docs/reference/settings.md from the tables of settings.
//!
//! A test compares the files with what this module writes; see [`crate::generated`].

mod example_files;
mod page;
mod tables;

use super::setting::Setting;
use super::settings::Settings;
use super::variable;
use crate::generated::in_step;

/// Columns of a comment in the example files.
const COLUMNS: usize = 110;

/// Returns the settings in groups that have one heading. Those that are tables have pages of their own.
fn sections() -> Vec<(&'static str, Vec<&'static Setting<Settings>>)> {
    let mut sections: Vec<(&str, Vec<&Setting<Settings>>)> = Vec::new();
    for setting in Settings::ALL.iter().filter(|setting| !is_table(setting)) {
        match sections.last_mut() {
            Some((title, settings)) if *title == setting.section => settings.push(setting),
            _ => sections.push((setting.section, vec![setting])),
        }
    }
    sections
}

fn is_table(setting: &Setting<Settings>) -> bool {
    (setting.toml)(&Settings::default()).is_empty()
}

/// Returns the variable that a reader is shown: the one that other programs know too, if there is one.
fn variable_of(setting: &Setting<Settings>) -> String {
    let also = setting.also.map(str::to_owned);
    also.unwrap_or_else(|| variable::prefixed(setting.key))
}

/// Returns the comment's lines as one text.
fn joined(meaning: &[&str]) -> String {
    let lines: Vec<_> = meaning.iter().map(|line| line.trim()).collect();
    lines.join(" ")
}

/// Returns the text in lines of at most so many characters.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= columns => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[test]
fn generated_example_files_are_in_step() {
    in_step("venom.example.toml", &example_files::toml());
    in_step(".env.example", &example_files::dotenv());
}

#[test]
fn generated_settings_page_is_in_step() {
    in_step("docs/reference/settings.md", &page::page());
}
