//! `docs/reference/command-line.md`: every command with its flags, from the program's own definition.

use std::fmt::Write as _;

use clap::{Arg, Command};

use super::{NOTICE, code, head, row};
use crate::generated::in_step;

const INTRODUCTION: &str = "
Commands find the service by the database in the current folder: the service leaves its address in
`data/venom.db.lock`. `--database FILE`, `--url URL` or `VENOM_URL` name another one. Data goes to standard output,
messages go to standard error.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed or refused |
| 2 | wrong usage |

A command that cannot be undone asks first; without a terminal it needs `--yes`. `--json` prints for programs. A
redirect is an error and is not followed, so that no other server gets the token: pass the new address with `--url`.

Durations are written `90`, `90s`, `5m`, `2h` or `1d`; timestamps as RFC 3339, such as `2026-12-24T18:00:00Z`.
`--retry 2` is three attempts. `venom COMMAND --help` has examples, `venom man` the manual, and `venom completions`
completions for shells.
";

fn page() -> String {
    let mut command = crate::cli::command();
    command.build();
    let mut page = format!("# Command line\n\n{NOTICE}{INTRODUCTION}");
    describe(&command, "venom", &mut page);
    page
}

/// Adds a command and those below it.
fn describe(command: &Command, name: &str, page: &mut String) {
    let about = command.get_long_about().or(command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    let _ = write!(page, "\n## {name}\n\n{}\n", about.trim());
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim();
    let _ = write!(page, "\n```text\n{usage}\n```\n");
    let arguments: Vec<_> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .filter(|argument| !["help", "version"].contains(&argument.get_id().as_str()))
        .collect();
    if !arguments.is_empty() {
        let _ = write!(
            page,
            "\n{}",
            head(&["argument", "variable", "default", "meaning"])
        );
        for argument in arguments {
            page.push_str(&argument_row(argument));
        }
    }
    let visible = command
        .get_subcommands()
        .filter(|below| !below.is_hide_set() && below.get_name() != "help");
    for below in visible {
        describe(below, &format!("{name} {}", below.get_name()), page);
    }
}

/// Takes a note such as `[default: 5]` out of a help text; returns the rest and what the note says.
fn take_note(help: &str, name: &str) -> (String, String) {
    let note = help
        .split_once(&format!("[{name}: "))
        .and_then(|(before, rest)| Some((before, rest.split_once(']')?)));
    match note {
        Some((before, (value, after))) => {
            let rest = format!("{}{after}", before.trim_end());
            (rest.trim().to_owned(), value.to_owned())
        }
        None => (help.to_owned(), String::new()),
    }
}

fn argument_row(argument: &Arg) -> String {
    let value = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .map(|names| names.join(" "))
        .unwrap_or_default();
    let mut names = Vec::new();
    names.extend(argument.get_short().map(|short| format!("-{short}")));
    names.extend(argument.get_long().map(|long| format!("--{long}")));
    let name = if names.is_empty() {
        value
    } else {
        format!("{} {value}", names.join(", ")).trim().to_owned()
    };
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.map(ToString::to_string).unwrap_or_default();
    let (help, default) = take_note(&help, "default");
    let (mut help, variable) = take_note(&help, "env");
    let choices: Vec<_> = argument
        .get_possible_values()
        .iter()
        .filter(|_| argument.get_action().takes_values())
        .map(|choice| code(choice.get_name()))
        .collect();
    if (1..12).contains(&choices.len()) {
        let _ = write!(help, " ({})", choices.join(", "));
    }
    row(&[&code(&name), &code(&variable), &default, &help])
}

#[test]
fn generated_command_line() {
    in_step("docs/reference/command-line.md", &page());
}
