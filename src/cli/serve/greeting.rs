//! The first lines that a service prints: its address, its database, and a first command to try.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cli::client::target;

/// The message that is printed once the service listens.
pub(crate) struct Greeting {
    /// The address on which the service listens.
    listens: String,
    /// The address by which this machine reaches the service.
    url: String,
    database: PathBuf,
    /// The name by which this program was called.
    program: String,
    /// True if `venom submit` in this folder finds the service without `--url`.
    found_by_database: bool,
    needs_token: bool,
}

impl Greeting {
    pub(crate) fn new(
        listens: String,
        database: &Path,
        found_by_database: bool,
        needs_token: bool,
    ) -> Self {
        let url = target::reachable(&listens).to_string();
        let program = std::env::args_os().next();
        let program = program.map(|name| name.to_string_lossy().into_owned());
        Self {
            listens,
            url: url.trim_end_matches('/').to_owned(),
            database: std::path::absolute(database).unwrap_or_else(|_| database.to_owned()),
            program: quoted(&program.unwrap_or_else(|| "venom".to_owned())),
            found_by_database,
            needs_token,
        }
    }

    /// Writes the address and the database as a log record.
    pub(crate) fn log(&self) {
        let version = env!("CARGO_PKG_VERSION");
        let database = self.database.display();
        tracing::info!(version, url = self.listens, %database, "listening");
    }
}

impl fmt::Display for Greeting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (url, program) = (&self.url, &self.program);
        let target = match self.found_by_database {
            true => String::new(),
            false => format!(" --url {url}"),
        };
        writeln!(
            f,
            "venom {} listens on {}",
            env!("CARGO_PKG_VERSION"),
            self.listens
        )?;
        writeln!(f, "and stores its tasks in {}", self.database.display())?;
        let (set, header) = match self.needs_token {
            true => (
                " (with VENOM_TOKEN set to a token)",
                " -H \"Authorization: Bearer $VENOM_TOKEN\"",
            ),
            false => ("", ""),
        };
        writeln!(f, "Submit a first task from another terminal{set}:")?;
        writeln!(f, "  {program} submit{target} hello")?;
        write!(
            f,
            "  curl {url}/api/v1/tasks{header} -H 'Content-Type: application/json' -d '{{\"content\": \"hello\"}}'"
        )
    }
}

/// Quotes a word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+".contains(letter);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn words_are_safe_to_paste() {
        assert_eq!(quoted("target/release/venom"), "target/release/venom");
        assert_eq!(quoted("./it's here/venom"), "'./it'\\''s here/venom'");
    }
}
