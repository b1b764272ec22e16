//! Explains why a program could not be started, where the operating system has one error for many causes.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::CommandSettings;

/// The number of bytes that are read of a program to find its interpreter.
const HEAD_BYTES: u64 = 4096;
/// `Exec format error`
const NO_EXECUTABLE: i32 = 8;

/// Returns the cause as a sentence that names the program.
pub(crate) fn describe(settings: &CommandSettings, error: &io::Error) -> String {
    let program = &settings.program;
    let why = match &settings.working_directory {
        Some(directory) if !directory.is_dir() => {
            format!(
                "its working directory `{}` does not exist",
                directory.display()
            )
        }
        _ => program_path(settings)
            .and_then(|path| cause(&path, error))
            .unwrap_or_else(|| error.to_string()),
    };
    format!("cannot start `{program}`: {why}")
}

fn cause(path: &Path, error: &io::Error) -> Option<String> {
    let shown = path.display();
    if path.is_dir() {
        return Some(format!("`{shown}` is a folder"));
    }
    match error.kind() {
        io::ErrorKind::NotFound => {
            let interpreter = interpreter(path)?;
            let (name, end) = match interpreter.strip_suffix('\r') {
                Some(name) => (
                    name,
                    "; the file has Windows line ends, and its first line needs a Unix one",
                ),
                None => (interpreter.as_str(), ""),
            };
            Some(format!(
                "the program `{shown}` exists, but its interpreter `{}` does not{end}",
                name.escape_debug()
            ))
        }
        io::ErrorKind::PermissionDenied => {
            let mode = path.metadata().ok()?.permissions().mode();
            (mode & 0o111 == 0)
                .then(|| format!("`{shown}` is not executable; `chmod +x` makes it so"))
        }
        _ if error.raw_os_error() == Some(NO_EXECUTABLE) => Some(format!(
            "`{shown}` is no program of this system, and has no first line such as `#!/bin/sh`"
        )),
        _ => None,
    }
}

/// Returns the file that is started: the path, or the first match of the name in `PATH`.
fn program_path(settings: &CommandSettings) -> Option<PathBuf> {
    let program = Path::new(&settings.program);
    let base = settings
        .working_directory
        .as_deref()
        .unwrap_or(Path::new(""));
    if settings.program.contains('/') {
        return Some(base.join(program)).filter(|path| path.exists());
    }
    let own = settings.env.get("PATH").map(Into::into);
    let folders = own.or_else(|| std::env::var_os("PATH"))?;
    std::env::split_paths(&folders)
        .map(|folder| base.join(folder).join(program))
        .find(|path| path.is_file())
}

/// Returns the program's interpreter if that is missing: of its first line, or of its ELF header.
fn interpreter(path: &Path) -> Option<String> {
    let mut head = Vec::new();
    File::open(path)
        .ok()?
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .ok()?;
    let name = match head.strip_prefix(b"#!") {
        Some(line) => {
            let line = line.split(|&byte| byte == b'\n').next()?;
            let words = line.trim_ascii_start();
            let end = words.iter().position(|byte| matches!(byte, b' ' | b'\t'));
            &words[..end.unwrap_or(words.len())]
        }
        None => elf_interpreter(&head)?,
    };
    let name = String::from_utf8_lossy(name).into_owned();
    (!Path::new(&name).exists()).then_some(name)
}

/// Returns the dynamic loader of a 64-bit little-endian program, where it stands at the file's beginning, as usual.
fn elf_interpreter(head: &[u8]) -> Option<&[u8]> {
    const LOADER: u32 = 3;
    let number = |at: usize, length: usize| {
        let bytes = head.get(at..at.checked_add(length)?)?;
        let mut whole = [0; 8];
        whole[..length].copy_from_slice(bytes);
        usize::try_from(u64::from_le_bytes(whole)).ok()
    };
    if !head.starts_with(b"\x7fELF\x02\x01") {
        return None;
    }
    let (table, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
    let entries = (0..count).map(|index| table.saturating_add(index * size));
    let entry = entries
        .into_iter()
        .find(|&at| number(at, 4) == Some(LOADER as usize))?;
    let (from, length) = (
        number(entry.checked_add(8)?, 8)?,
        number(entry.checked_add(32)?, 8)?,
    );
    let name = head.get(from..from.checked_add(length)?)?;
    name.split(|&byte| byte == 0).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the error for a file with these bytes that cannot be started because of `error`.
    fn said(bytes: &[u8], error: io::ErrorKind) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("run");
        std::fs::write(&path, bytes).expect("a file");
        let settings = CommandSettings {
            program: "./run".into(),
            args: Vec::new(),
            env: [].into(),
            working_directory: Some(folder.path().into()),
        };
        describe(&settings, &error.into()).replace(&folder.path().display().to_string(), "F")
    }

    #[test]
    fn the_cause_is_named() {
        use io::ErrorKind::{NotFound, PermissionDenied};
        let missing = |name: &str| {
            format!(
                "cannot start `./run`: the program `F/./run` exists, but its interpreter `{name}` does not"
            )
        };
        assert_eq!(
            said(b"#! /usr/bin/nope -x\n", NotFound),
            missing("/usr/bin/nope")
        );
        let windows = said(b"#!/no/sh\r\necho\r\n", NotFound);
        assert!(windows.starts_with(&missing("/no/sh")), "{windows}");
        assert!(windows.contains("Windows line ends"), "{windows}");
        let found = said(b"#!/bin/sh\n", NotFound);
        assert!(!found.contains("interpreter"), "{found}");
        let closed = said(b"#!/bin/sh\n", PermissionDenied);
        assert!(closed.contains("chmod +x"), "{closed}");
        assert!(said(b"", NotFound).contains("entity not found"));
    }

    #[test]
    fn the_loader_of_a_program_is_found() {
        let mut head = vec![0; 300];
        head[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (head[32], head[54], head[56]) = (64, 56, 2);
        (head[120], head[128], head[152]) = (3, 200, 12);
        head[200..212].copy_from_slice(b"/no/ld.so.1\0");
        assert_eq!(elf_interpreter(&head), Some(&b"/no/ld.so.1"[..]));
        head[128] = 255;
        head[129] = 255;
        assert_eq!(elf_interpreter(&head), None);
        assert_eq!(elf_interpreter(b"\x7fELF\x02\x01"), None);
    }
}
