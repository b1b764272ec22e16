//! Settings that are valid and yet will not do what they seem to: a Hive without processors, or the reverse, and
//! programs of `command` processors that are missing. A missing program is a warning because it may be installed
//! later; until then its tasks fail and say so.

use std::env;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::kinds::CommandSettings;
use super::processors::ProcessorKind;
use super::settings::Settings;

/// Returns a sentence for each.
pub(crate) fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = of_hive(settings);
    warnings.extend(of_programs(settings));
    warnings
}

/// Nothing goes through the Hive without both its switch and a processor.
fn of_hive(settings: &Settings) -> Vec<String> {
    let mut names = settings.processors.iter().filter_map(|(name, processor)| {
        matches!(processor.kind, ProcessorKind::Hive(_)).then_some(name)
    });
    match (settings.enable_hive, names.next()) {
        (true, None) => vec![
            "the Hive is on, but no processor is of kind \"hive\": all tasks run locally"
                .to_owned(),
        ],
        (false, Some(name)) => vec![format!(
            "processor {name} is of kind \"hive\", but the Hive is off: its tasks stay queued until \
             `enable_hive` is set"
        )],
        _ => Vec::new(),
    }
}

/// A sentence for each `command` processor whose program cannot be started as the settings have it.
fn of_programs(settings: &Settings) -> Vec<String> {
    let processors = settings.processors.iter();
    let missing = processors.filter_map(|(name, processor)| match &processor.kind {
        ProcessorKind::Command(command) => {
            let why = problem(command, env::var_os("PATH"))?;
            Some(format!(
                "processor {name}: {why}; its tasks fail until this is fixed"
            ))
        }
        _ => None,
    });
    missing.collect()
}

/// Why the program cannot be started; `None` if it can.
fn problem(command: &CommandSettings, path: Option<OsString>) -> Option<String> {
    let program = &command.program;
    let folder = command.working_directory.as_deref();
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        let folder = folder.display();
        return Some(format!("its working_directory {folder} is not there"));
    }
    if program.contains('/') {
        let file = folder.unwrap_or(Path::new("")).join(program);
        return match (file.is_file(), is_executable(&file)) {
            (true, true) => None,
            (true, false) => Some(format!("its program {} is not executable", file.display())),
            (false, _) => Some(format!("its program {} is not there", file.display())),
        };
    }
    let own = command.env.get("PATH").map(OsString::from);
    let path = own.or(path);
    let folders = path.as_deref().unwrap_or(OsStr::new("/bin:/usr/bin"));
    let mut files = env::split_paths(folders).map(|folder: PathBuf| folder.join(program));
    match files.any(|file| file.is_file() && is_executable(&file)) {
        true => None,
        false => Some(format!("its program {program} is in no folder of PATH")),
    }
}

fn is_executable(file: &Path) -> bool {
    access(file, Access::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn of(program: &str) -> CommandSettings {
        CommandSettings {
            program: program.to_owned(),
            args: Vec::new(),
            env: [].into(),
            working_directory: None,
        }
    }

    #[test]
    fn a_program_is_looked_for_where_it_will_be_started_from() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tool");
        let path = || Some(folder.path().as_os_str().to_owned());
        let missing = Some("its program tool is in no folder of PATH".to_owned());
        assert_eq!(problem(&of("tool"), path()), missing);
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(problem(&of("tool"), path()), missing);
        let absolute = of(file.to_str().unwrap());
        let found = problem(&absolute, None).unwrap();
        assert!(found.ends_with("/tool is not executable"), "{found}");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(problem(&of("tool"), path()), None);
        assert_eq!(problem(&absolute, None), None);
        let own = CommandSettings {
            env: [("PATH".to_owned(), "/nowhere".to_owned())].into(),
            ..of("tool")
        };
        assert_eq!(problem(&own, path()), missing);
        let relative = CommandSettings {
            working_directory: Some(folder.path().to_owned()),
            ..of("./tool")
        };
        assert_eq!(problem(&relative, None), None);
        let nowhere = CommandSettings {
            working_directory: Some("/nowhere".into()),
            ..of("sh")
        };
        let found = problem(&nowhere, None).unwrap();
        assert_eq!(found, "its working_directory /nowhere is not there");
    }
}
