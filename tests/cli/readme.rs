//! What the README tells a new user to type works as it says, in an empty folder.

use std::path::Path;
use std::process::Command;

use crate::harness::Folder;

const README: &str = include_str!("../../README.md");

/// A section of the README.
fn section(title: &str) -> &'static str {
    let (_, section) = README.split_once(&format!("\n## {title}\n")).unwrap();
    section.split("\n## ").next().unwrap()
}

/// The blocks of a language in a section.
fn blocks(section: &'static str, language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    section
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

/// What a user types in the README's folder, in a shell that finds `venom`.
fn shell(folder: &Folder, script: &str) -> (bool, String) {
    let binary = Path::new(env!("CARGO_BIN_EXE_venom"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", binary.parent().unwrap().display());
    let mut shell = Command::new("sh");
    let shell = shell.arg("-c").arg(script).current_dir(folder.path(""));
    let done = shell.env_clear().env("PATH", path).output().unwrap();
    let said = [done.stdout, done.stderr].concat();
    (done.status.success(), String::from_utf8(said).unwrap())
}

#[test]
fn the_script_of_the_readme_runs_in_an_empty_folder() {
    let section = section("Run a script as a task");
    let files = blocks(section, "sh")[0];
    let files = files
        .strip_suffix("\nvenom\n")
        .expect("it starts the service");
    // The folder is the new one already.
    let files = files.strip_prefix("mkdir words && cd words\n").unwrap();
    let folder = Folder::new();
    let (success, said) = shell(&folder, files);
    assert!(success, "{said}");
    let service = folder.serve();
    let consoles = blocks(section, "console");
    let submit = consoles
        .iter()
        .find(|block| block.contains("three four"))
        .unwrap();
    // The command goes to the end of its quotes; what it prints follows.
    let submit = submit.strip_prefix("$ ").unwrap();
    let (command, printed) = submit.split_once("\ntask ").unwrap();
    let (success, said) = shell(&folder, command);
    assert!(success, "{said}");
    let result = |said: &str| {
        said.lines()
            .find(|line| !line.starts_with("task "))
            .map(str::to_owned)
    };
    assert_eq!(
        result(&said),
        printed.lines().nth(1).map(str::to_owned),
        "{said}"
    );

    let watched = consoles
        .iter()
        .find(|block| block.contains("TASK_LOG"))
        .unwrap();
    let logs = folder.succeed(&["list", "--json"]);
    for line in watched.lines().filter(|line| line.contains(" TASK_LOG ")) {
        let text = line.splitn(4, ' ').nth(3).unwrap();
        assert!(logs.contains(&format!("\"{text}\"")), "{text} in {logs}");
    }
    let empty = consoles
        .iter()
        .find(|block| block.contains("/dev/null"))
        .unwrap();
    let command = empty
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("$ "))
        .unwrap();
    let (_, said) = shell(&folder, command);
    assert!(
        said.contains("failed (error): there is no text to count"),
        "{said}"
    );
    assert!(said.contains("1\n"), "{said}");
    assert_eq!(service.stop(), 0);
}
